/**
 * A thread that hears from the kernel what of nf_tables changes (iptables' nft variant included), and says when an address first came
 * into the rules. Input: `{ address }`; output: `{ address, at }`, `at` in ns of `process.hrtime`; `{ bytes: true }` asks for all bytes so far.
 */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { NETLINK_NETFILTER, openNetlinkDescriptor } from "../../src/host/netlink/socket.ts";
import { loadLibc } from "../../src/host/syscalls/libc.ts";

const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_NO_ENOBUFS = 5;
const NFNLGRP_NFTABLES = 7;

const libc = loadLibc();
const port = parentPort;
if (libc === undefined || port === null) throw new Error("needs FFI, and to be a thread");
const fd = openNetlinkDescriptor(libc, NETLINK_NETFILTER);
libc.setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES);
libc.setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1);

const buffer = Buffer.alloc(1 << 20);
const wanted = new Map<string, Buffer>();
const sleeping = new Int32Array(new SharedArrayBuffer(4));
let bytes = 0;
port.postMessage({ ready: workerData as unknown });
for (;;) {
  for (let message = receiveMessageOnPort(port); message !== undefined; message = receiveMessageOnPort(port)) {
    const { address, bytes: asked } = message.message as { address?: string; bytes?: boolean };
    if (address !== undefined) wanted.set(address, Buffer.from(address.split(".").map(Number)));
    if (asked === true) port.postMessage({ bytes });
  }
  let heard = false;
  for (let received = libc.recv(fd, buffer, 0); received > 0; received = libc.recv(fd, buffer, 0)) {
    heard = true;
    bytes += received;
    const part = buffer.subarray(0, received);
    for (const [address, octets] of wanted) {
      if (!part.includes(octets)) continue;
      wanted.delete(address);
      port.postMessage({ address, at: process.hrtime.bigint() });
    }
  }
  // Short against what is measured; a spinning thread would take a core from the proxy.
  if (!heard) Atomics.wait(sleeping, 0, 0, 0.1);
}
