/** What only a network namespace of one's own can tell: each thing is done for real, in the calling thread's namespace. */
import { closeSync, existsSync, openSync } from "node:fs";
import { errnoCode, errorMessage } from "../../lib/errors.ts";
import { openConntrack } from "../conntrack/conntrack.ts";
import { addVeth } from "../netlink/route.ts";
import { commit, NETLINK_GENERIC, NETLINK_NETFILTER, NETLINK_ROUTE, openNetlink } from "../netlink/socket.ts";
import { NetlinkWriter, NLM_F_ACK } from "../netlink/writer.ts";
import { installEgress } from "../nftables/egress.ts";
import { openNftables } from "../nftables/nftables.ts";
import * as c from "../syscalls/constants.ts";
import type { Libc } from "../syscalls/libc.ts";
import type { Capability, CapabilityId } from "./capability.ts";

interface KernelProbe {
  readonly id: CapabilityId;
  readonly what: string;
  readonly enable: string;
  /** Throws where it cannot be done. */
  readonly attempt: (libc: Libc) => void;
}

const modules = (names: string) => `load the kernel's modules: sudo modprobe -a ${names}`;

const probes: readonly KernelProbe[] = [
  { id: "links", what: "pairs of virtual links", enable: modules("veth"), attempt: makeLinks },
  { id: "ipv6", what: "IPv6", enable: "boot without ipv6.disable=1", attempt: needIpv6 },
  { id: "nftables", what: "nftables with NAT, over netlink", enable: modules("nf_tables nft_chain_nat"), attempt: makeRules },
  { id: "conntrack", what: "the kernel's list of connections", enable: modules("nf_conntrack_netlink"), attempt: listFlows },
  { id: "sctp", what: "SCTP sockets", enable: modules("sctp"), attempt: openSctp },
  { id: "ipvs", what: "IPVS", enable: modules("ip_vs"), attempt: findIpvs },
];

export function probeKernel(libc: Libc): Capability[] {
  return probes.map(({ id, what, enable, attempt }) => {
    try {
      attempt(libc);
      return { id, ok: true, why: what };
    } catch (error) {
      return { id, ok: false, why: `no ${what} (${errnoCode(error) ?? errorMessage(error)})`, enable };
    }
  });
}

function makeLinks(libc: Libc): void {
  const namespace = openSync("/proc/thread-self/ns/net", "r");
  const socket = openNetlink(libc, NETLINK_ROUTE);
  try {
    const writer = new NetlinkWriter();
    const end = (name: string, index: number) => ({ name, index, mac: Uint8Array.of(2, 0, 0, 0, 0, index), namespace });
    addVeth(writer, { ...end("probe0", 10), mtu: 1500, peer: end("probe1", 11) });
    commit(socket, writer.addFlags(NLM_F_ACK));
  } finally {
    socket.close();
    closeSync(namespace);
  }
}

function needIpv6(): void {
  if (!existsSync("/proc/sys/net/ipv6")) throw Object.assign(new Error("no IPv6"), { code: "EAFNOSUPPORT" });
}

/** What the proxy's rules take: tables, NAT chains, sets of addresses, DNAT. */
function makeRules(libc: Libc): void {
  const nftables = openNftables(openNetlink(libc, NETLINK_NETFILTER));
  try {
    const listener = [{ address: "192.0.2.1", port: 1 }];
    installEgress(nftables, { tcp: listener, udp: listener, hostAddresses: [], clusterCIDRs: ["192.0.2.0/24"] });
  } finally {
    nftables.close();
  }
}

function listFlows(libc: Libc): void {
  const conntrack = openConntrack(openNetlink(libc, NETLINK_NETFILTER));
  try {
    conntrack.list("tcp");
  } finally {
    conntrack.close();
  }
}

function openSctp(libc: Libc): void {
  libc.close(libc.socket(c.AF_INET, c.SOCK_STREAM, c.IPPROTO_SCTP));
}

/** Asks generic netlink for the family (include/uapi/linux/genetlink.h: the controller is family 16). */
function findIpvs(libc: Libc): void {
  const [controller, getFamily, familyName] = [16, 3, 2];
  const socket = openNetlink(libc, NETLINK_GENERIC);
  try {
    const writer = new NetlinkWriter();
    writer.message(controller, NLM_F_ACK, "find IPVS").u8(getFamily).u8(1).u16(0).attributeString(familyName, "IPVS");
    commit(socket, writer);
  } finally {
    socket.close();
  }
}
