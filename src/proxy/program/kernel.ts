/** The kernel of the network namespace in which this program runs, opened for a mode. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { openConntrack, type Conntrack } from "../../host/conntrack/conntrack.ts";
import { openIptables } from "../../host/iptables/iptables.ts";
import { NETLINK_NETFILTER, openNetlink } from "../../host/netlink/socket.ts";
import { openNftables, type Nftables } from "../../host/nftables/nftables.ts";
import { loadLibc, type Libc } from "../../host/syscalls/libc.ts";
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import type { IpFamily } from "../../lib/ip.ts";
import type { Logger } from "../../lib/log.ts";
import type { IptablesKernelOptions } from "../backends/iptables/apply.ts";
import type { KernelOptions } from "../backends/nftables/apply.ts";
import type { ProxySettings } from "../configuration/settings.ts";
import type { KernelSetting } from "./sysctls.ts";

/** IPv6 only where the machine has it (upstream `platformCheckSupported`). */
export function kernelFamilies(): readonly IpFamily[] {
  const disabled = "/proc/sys/net/ipv6/conf/all/disable_ipv6";
  const six = existsSync("/proc/net/if_inet6") && !(existsSync(disabled) && readFileSync(disabled, "utf8").trim() === "1");
  return six ? [4, 6] : [4];
}

export function localAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ address, scopeid }) => !(address.startsWith("fe80:") && scopeid !== 0))
    .map(({ address }) => address)
    .sort();
}

/** Throws FL_UNSUPPORTED. */
function needLibc(): Libc {
  const libc = loadLibc();
  if (libc !== undefined) return libc;
  throw new FairleadError("FL_UNSUPPORTED", "the kernel's rules cannot be reached: no native calls (the koffi package)", {
    hint: "--proxy-mode iptables works by iptables' own programs.",
  });
}

/** Throws FL_UNSUPPORTED where this process may not, or the kernel cannot. */
export function nftablesKernel(serviceCIDRs: readonly string[], families: readonly IpFamily[], log: Logger): KernelOptions {
  const libc = needLibc();
  const nftables = openNftables(openNetlink(libc, NETLINK_NETFILTER));
  try {
    probe(nftables);
  } catch (cause) {
    nftables.close();
    throw new FairleadError("FL_UNSUPPORTED", `mode nftables: ${errorMessage(cause)}`, {
      cause,
      hint: "It needs root (CAP_NET_ADMIN) and a kernel with nf_tables.",
    });
  }
  return { nftables, ...optional(conntrackOrNone(libc, log)), serviceCIDRs, families, log };
}

/** A transaction that leaves nothing. */
function probe(nftables: Nftables): void {
  const table = { family: "ip", name: `fairlead-probe-${process.pid}` } as const;
  nftables.commit([
    { kind: "addTable", table },
    { kind: "deleteTable", table },
  ]);
}

/** Upstream `FullSyncPeriod`. */
const fullSyncMs = 3_600_000;

/** Throws FL_UNSUPPORTED where no family has the programs, or they may not. */
export async function iptablesKernel(
  settings: Pick<ProxySettings, "syncPeriodMs" | "nodePortAddresses" | "localhostNodePorts" | "masqueradeBit" | "conntrack">,
  families: readonly IpFamily[],
  log: Logger,
): Promise<IptablesKernelOptions> {
  const iptables = openIptables();
  const usable: IpFamily[] = [];
  let why: unknown;
  for (const family of families) {
    try {
      await iptables.restore(family, "*nat\nCOMMIT\n");
      usable.push(family);
    } catch (error) {
      why = error;
      log.warn(`no iptables for IPv${family}: Services have no addresses of it here`, { error: errorMessage(error) });
    }
  }
  if (!usable.includes(4) && !usable.includes(6))
    throw new FairleadError("FL_UNSUPPORTED", `mode iptables: ${errorMessage(why)}`, {
      cause: why,
      hint: "It needs root (CAP_NET_ADMIN) and the iptables programs.",
    });
  const libc = loadLibc();
  return {
    iptables,
    ...optional(libc === undefined ? undefined : conntrackOrNone(libc, log)),
    families: usable,
    looksPerFullSync: Math.max(1, Math.ceil(fullSyncMs / settings.syncPeriodMs)),
    rules: {
      nodePortsEverywhere: settings.nodePortAddresses.length === 0,
      localhostNodePorts: settings.localhostNodePorts,
      masqueradeBit: settings.masqueradeBit,
      conntrackTcpLiberal: settings.conntrack.tcpBeLiberal,
      randomFully: true,
    },
    log,
  };
}

function conntrackOrNone(libc: Libc, log: Logger): Conntrack | undefined {
  try {
    return openConntrack(openNetlink(libc, NETLINK_NETFILTER));
  } catch (error) {
    log.warn("UDP flows to endpoints that leave cannot be ended: no conntrack", { error: errorMessage(error) });
    return undefined;
  }
}

const optional = (conntrack: Conntrack | undefined) => (conntrack === undefined ? {} : { conntrack });

/** Writes what is not so yet. What cannot be written is told, and left: in a container `/proc/sys` is often read-only. */
export function applySettings(settings: readonly KernelSetting[], log: Logger): void {
  for (const { name, value, atLeast } of settings) {
    const file = name.startsWith("/") ? name : `/proc/sys/${name}`;
    try {
      const present = Number(readFileSync(file, "utf8"));
      if (present === value || (atLeast === true && present >= value)) continue;
      writeFileSync(file, String(value), { flag: "r+" });
      log.info("kernel setting", { name, value, before: present });
    } catch (error) {
      log.warn("a kernel setting could not be made", { name, value, error: errorMessage(error) });
    }
  }
}

export function setOomScore(value: number, log: Logger): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", String(value));
  } catch (error) {
    log.debug("oom_score_adj could not be set", { value, error: errorMessage(error) });
  }
}
