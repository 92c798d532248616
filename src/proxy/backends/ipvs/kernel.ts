/** The parts of one network namespace's kernel that ipvs mode works with, and what it asks of them before anything else. */
import type { SetName } from "../../../decide/proxy/render/ipvs/sets.ts";
import { ipvsSets, kernelSetName, setNames } from "../../../decide/proxy/render/ipvs/sets.ts";
import { maxEntries } from "../../../decide/proxy/render/ipvs/text.ts";
import type { Conntrack } from "../../../host/conntrack/conntrack.ts";
import type { DummyLink } from "../../../host/ipvs/dummy-link.ts";
import type { Ipset, IpsetDefinition } from "../../../host/ipset/ipset.ts";
import type { Iptables } from "../../../host/iptables/iptables.ts";
import type { Ipvs, IpvsTimeouts } from "../../../host/ipvs/ipvs.ts";
import type { IpFamily } from "../../../lib/ip.ts";

export interface IpvsKernel {
  readonly ipvs: Ipvs;
  readonly ipset: Ipset;
  /** `kube-ipvs0`. */
  readonly link: DummyLink;
  readonly iptables: Iptables;
  /** Writes `net/ipv4/vs/conntrack` and the like. */
  readonly setting: (name: string, value: string) => Promise<void>;
  /** Absent: UDP clients of an endpoint that has left stay with it until they pause. */
  readonly conntrack?: Conntrack;
}

export interface IpvsKernelSettings {
  /** `--ipvs-strict-arp`: the node does not answer ARP for addresses of `kube-ipvs0` (MetalLB and the like need it). */
  readonly strictARP: boolean;
  /** `--ipvs-tcp-timeout` and its like, in seconds; 0: as it is. */
  readonly timeouts: IpvsTimeouts;
  /** Of this kernel, `uname -r`. */
  readonly kernelRelease: string;
}

/** Upstream pkg/proxy/ipvs/proxier.go `NewProxier`. */
export function kernelSettings({ strictARP, kernelRelease }: IpvsKernelSettings): readonly (readonly [string, string])[] {
  const [major = 0, minor = 0] = kernelRelease.split(/[.-]/).map(Number);
  const isOld = major < 5 || (major === 5 && minor < 9);
  return [
    // Without it iptables does not see what IPVS did, and nothing is masqueraded.
    ["net/ipv4/vs/conntrack", "1"],
    // Before 5.9 a client's port that is used again waits a second (kubernetes #93297).
    ...(isOld ? ([["net/ipv4/vs/conn_reuse_mode", "0"]] as const) : []),
    // Connections of a destination that was taken away end at their next packet, and clients of one that drains choose anew.
    ["net/ipv4/vs/expire_nodest_conn", "1"],
    ["net/ipv4/vs/expire_quiescent_template", "1"],
    ["net/ipv4/ip_forward", "1"],
    ...(strictARP
      ? ([
          ["net/ipv4/conf/all/arp_ignore", "1"],
          ["net/ipv4/conf/all/arp_announce", "2"],
        ] as const)
      : []),
  ];
}

export function setDefinition(name: SetName, family: IpFamily): IpsetDefinition {
  return { name: kernelSetName(name, family), type: ipvsSets[name].type, family, maxEntries };
}

/** What must be there before the first rule. */
export async function prepareKernel(kernel: IpvsKernel, families: readonly IpFamily[], settings: IpvsKernelSettings): Promise<void> {
  for (const [name, value] of kernelSettings(settings)) await kernel.setting(name, value);
  const { tcp, tcpFin, udp } = settings.timeouts;
  if (tcp + tcpFin + udp > 0) kernel.ipvs.setTimeouts(settings.timeouts);
  kernel.link.ensure();
  for (const family of families) for (const name of setNames) kernel.ipset.create(setDefinition(name, family));
}
