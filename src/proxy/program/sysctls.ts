/** Settings of the kernel that kube-proxy makes (upstream pkg/proxy/conntrack/sysctls.go, pkg/proxy/iptables/proxier.go). Pure. */
import type { ProxySettings } from "../configuration/settings.ts";

export interface KernelSetting {
  /** `net/…`, below /proc/sys; or an absolute path. */
  readonly name: string;
  readonly value: number;
  /** Left alone where it is this much already. */
  readonly atLeast?: boolean;
}

/** More flows than these cost memory for nothing on a machine with many cores. */
const mostFlows = 1 << 20;

export function kernelSettings(settings: ProxySettings, cpus: number): readonly KernelSetting[] {
  return [...conntrackSettings(settings.conntrack, cpus), ...localnetSettings(settings)];
}

function conntrackSettings(wanted: ProxySettings["conntrack"], cpus: number): readonly KernelSetting[] {
  const conntrack = (name: string, value: number): KernelSetting => ({ name: `net/netfilter/nf_conntrack_${name}`, value });
  const seconds = (name: string, ms: number) => (ms > 0 ? [conntrack(name, Math.floor(ms / 1000))] : []);
  const flows = wanted.maxPerCore === 0 ? 0 : Math.min(mostFlows, Math.max(wanted.maxPerCore * cpus, wanted.min));
  return [
    ...(flows === 0
      ? []
      : [conntrack("max", flows), { name: "/sys/module/nf_conntrack/parameters/hashsize", value: Math.floor(flows / 4), atLeast: true }]),
    ...seconds("tcp_timeout_established", wanted.tcpEstablishedMs),
    ...seconds("tcp_timeout_close_wait", wanted.tcpCloseWaitMs),
    ...(wanted.tcpBeLiberal ? [conntrack("tcp_be_liberal", 1)] : []),
    ...seconds("udp_timeout", wanted.udpMs),
    ...seconds("udp_timeout_stream", wanted.udpStreamMs),
  ];
}

/** Packets to 127.0.0.1 that are led to a pod must be routed. */
function localnetSettings({ mode, localhostNodePorts, nodePortAddresses }: ProxySettings): readonly KernelSetting[] {
  const loopback = nodePortAddresses.length === 0 || nodePortAddresses.some((cidr) => cidr.startsWith("127."));
  return mode === "iptables" && localhostNodePorts && loopback ? [{ name: "net/ipv4/conf/all/route_localnet", value: 1 }] : [];
}
