/** What carries Services in a node's namespace: the mode that is asked for, or what stands in for it, saying so. */
import type { NodeNetwork } from "../../host/namespaces/namespaces.ts";
import type { IpFamily } from "../../lib/ip.ts";
import { openConntrack } from "../../host/conntrack/conntrack.ts";
import { openIptables, type Iptables } from "../../host/iptables/iptables.ts";
import { adoptNetlink, NETLINK_NETFILTER } from "../../host/netlink/socket.ts";
import { openNftables } from "../../host/nftables/nftables.ts";
import type { Libc } from "../../host/syscalls/libc.ts";
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { openIpvsKernel } from "../../proxy/backends/ipvs/open.ts";
import { ipvsLeaves } from "../../proxy/program/ipvs-kernel.ts";
import type { ProxyOptions } from "../../proxy/proxy-options.ts";
import type { KernelProxyMode } from "./network.ts";

export interface CarrierPlace {
  readonly network: NodeNetwork;
  readonly libc: Libc;
  readonly families: readonly IpFamily[];
  readonly serviceCIDRs: readonly string[];
  readonly log: Logger;
}

export interface Carrier {
  readonly options: Pick<ProxyOptions, "mode" | "kernel" | "iptables" | "ipvs">;
  /** What a person should know of the mode, or that it is another than was asked for. */
  readonly notes: readonly string[];
}

/** Throws FL_UNSUPPORTED where the programs of mode iptables are missing, or the kernel lacks what they need. */
export async function openKernelCarrier(mode: KernelProxyMode, place: CarrierPlace): Promise<Carrier> {
  switch (mode) {
    case "nftables":
      return await nftablesCarrier(place);
    case "iptables":
      return await iptablesCarrier(place);
    case "ipvs":
      return await ipvsCarrier(place);
    default:
      return mode satisfies never;
  }
}

const connectIn = (network: NodeNetwork) => (target: { readonly host: string; readonly port: number }) => network.connect(target);

async function nftablesCarrier({ network, libc, families, serviceCIDRs }: CarrierPlace): Promise<Carrier> {
  const socket = async () => adoptNetlink(libc, await network.netlink(NETLINK_NETFILTER));
  const nftables = openNftables(await socket());
  return carrier({
    mode: "nftables",
    kernel: { nftables, conntrack: openConntrack(await socket()), serviceCIDRs, families, connect: connectIn(network) },
  });
}

async function iptablesCarrier({ network, libc, families }: CarrierPlace): Promise<Carrier> {
  const iptables = await iptablesIn(network);
  const conntrack = openConntrack(adoptNetlink(libc, await network.netlink(NETLINK_NETFILTER)));
  return carrier({ mode: "iptables", iptables: { iptables, conntrack, families, connect: connectIn(network) } });
}

/** Without IPVS in the kernel: by iptables, and without its programs by nftables. */
async function ipvsCarrier(place: CarrierPlace): Promise<Carrier> {
  const { network, libc, families, log } = place;
  const opened = await openIpvsKernel({
    netlink: async (protocol) => adoptNetlink(libc, await network.netlink(protocol)),
    iptables: openIptables({ enter: ["nsenter", `--net=${network.path}`] }),
    setting: (name, value) => network.sysctl(name, value),
    scheduler: "rr",
  });
  if (opened.kind === "ok") {
    return carrier({ mode: "ipvs", ipvs: { kernel: opened.kernel, families, connect: connectIn(network), log } }, `--proxy-${ipvsLeaves}.`);
  }
  const why = `--proxy-mode ipvs cannot be had here (${opened.why})`;
  try {
    return { ...(await iptablesCarrier(place)), notes: [`${why}: Services are carried by iptables.`] };
  } catch (error) {
    const nor = `nor can iptables (${errorMessage(error)})`;
    return { ...(await nftablesCarrier(place)), notes: [`${why}, ${nor}: Services are carried by nftables.`] };
  }
}

function carrier(options: Carrier["options"], ...notes: readonly string[]): Carrier {
  return { options, notes };
}

async function iptablesIn({ path }: NodeNetwork): Promise<Iptables> {
  const iptables = openIptables({ enter: ["nsenter", `--net=${path}`] });
  try {
    await iptables.restore(4, "*nat\nCOMMIT\n");
    return iptables;
  } catch (cause) {
    throw new FairleadError("FL_UNSUPPORTED", `--proxy-mode iptables: ${errorMessage(cause)}`, {
      cause,
      hint: "Install iptables and nsenter (util-linux), or leave --proxy-mode out: nftables needs no program.",
    });
  }
}
