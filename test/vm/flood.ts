/**
 * A thread that enters a pod's network namespace and sends many UDP flows through a raw socket, each from an address and port of its
 * own; another use of it reads a node's table of IPVS connections. A socket for each flow would cost more than the flow.
 */
import { openSync, closeSync, readFileSync } from "node:fs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { loadLibc } from "../../src/host/syscalls/libc.ts";
import { AF_INET, CLONE_NEWNET, SOCK_RAW } from "../../src/host/syscalls/constants.ts";
import { MessageVector } from "../../src/host/syscalls/message-vector.ts";
import { encodeSocketAddress } from "../../src/host/syscalls/socket-address.ts";
import { bytesOfIp } from "../../src/host/syscalls/ip-bytes.ts";

export interface Flood {
  readonly to: string;
  readonly port: number;
  /** Each client sends one datagram from each of `ports` ports, from 10,000 on. */
  readonly clients: readonly string[];
  readonly ports: number;
}

export interface TrackedConnection {
  readonly client: string;
  readonly clientPort: number;
  readonly virtual: string;
  readonly real: string;
}

type Job =
  | { readonly kind: "flood"; readonly path: string; readonly floods: readonly Flood[] }
  | { readonly kind: "table"; readonly path: string };

/** How many datagrams were sent, all in all. */
export async function flood(path: string, ...floods: readonly Flood[]): Promise<number> {
  return (await run({ kind: "flood", path, floods })) as number;
}

/** Of a node: `/proc/net/ip_vs_conn` as it is seen there. */
export async function ipvsConnections(path: string): Promise<readonly TrackedConnection[]> {
  const text = (await run({ kind: "table", path })) as string;
  return text.split("\n").slice(1).flatMap(connectionOf);
}

function run(job: Job): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: job });
    worker.once("message", resolve).once("error", reject);
  });
}

/** `UDP 0AF40102 2710 0A60000A 0035 0AF40103 14E9 UDP 299`: addresses as hexadecimal, of IPv4. */
function connectionOf(line: string): TrackedConnection[] {
  const [, client = "", clientPort = "", virtual = "", virtualPort = "", real = ""] = line.trim().split(/\s+/);
  if (real === "") return [];
  const ip = (hex: string) => (hex.match(/../g) ?? []).map((byte) => parseInt(byte, 16)).join(".");
  return [
    { client: ip(client), clientPort: parseInt(clientPort, 16), virtual: `${ip(virtual)}:${parseInt(virtualPort, 16)}`, real: ip(real) },
  ];
}

function work(job: Job): number | string {
  const libc = loadLibc();
  if (libc === undefined) throw new Error("no FFI");
  const namespace = openSync(job.path, "r");
  libc.setns(namespace, CLONE_NEWNET);
  closeSync(namespace);
  return job.kind === "table"
    ? readFileSync("/proc/thread-self/net/ip_vs_conn", "utf8")
    : job.floods.reduce((sum, one) => sum + send(libc, one), 0);
}

const IPPROTO_RAW = 255;
const batch = 64;

function send(libc: NonNullable<ReturnType<typeof loadLibc>>, { to, port, clients, ports }: Flood): number {
  const fd = libc.socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  const vector = new MessageVector(libc, batch, 64);
  const address = encodeSocketAddress(to, 0);
  let [waiting, sent] = [0, 0];
  const flush = () => {
    for (let done = 0; done < waiting;) {
      const count = libc.sendmmsg(fd, vector.headers.subarray(done * 64), waiting - done, 0);
      if (count < 0) throw new Error(`sendmmsg: errno ${-count}`);
      done += count;
      sent += count;
    }
    waiting = 0;
  };
  for (let i = 0; i < ports; i++) {
    for (const client of clients) {
      const packet = vector.messages[waiting] as Uint8Array;
      vector.addressTo(waiting, writePacket(packet, client, 10_000 + i, to, port), address);
      if (++waiting === batch) flush();
    }
  }
  flush();
  libc.close(fd);
  return sent;
}

/** IPv4 and UDP with one byte; the kernel fills in the header's checksum, and UDP over IPv4 may go without (RFC 768). */
function writePacket(bytes: Uint8Array, from: string, fromPort: number, to: string, port: number): number {
  const length = 29;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  bytes.fill(0, 0, length);
  bytes[0] = 0x45;
  view.setUint16(2, length);
  bytes[8] = 64;
  bytes[9] = 17;
  bytes.set(bytesOfIp(from), 12);
  bytes.set(bytesOfIp(to), 16);
  view.setUint16(20, fromPort);
  view.setUint16(22, port);
  view.setUint16(24, 9);
  return length;
}

if (!isMainThread && parentPort !== null && (workerData as Job | null)?.path !== undefined) parentPort.postMessage(work(workerData as Job));
