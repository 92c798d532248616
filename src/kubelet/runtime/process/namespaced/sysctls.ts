/**
 * `securityContext.sysctls`: those of the kernel's settings that belong to a pod's own network and harm nobody else (upstream
 * `SafeSysctlAllowlist`, pkg/kubelet/sysctl/safe_sysctls.go). Pure.
 */
import type { Pod } from "../../../../api/types.ts";

const safe: ReadonlySet<string> = new Set([
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_wmem",
]);

export interface KernelSetting {
  /** Below /proc/sys. */
  readonly path: string;
  readonly value: string;
}

/** Throws with upstream's text for one that is not safe, and for any in a pod that has no network of its own. */
export function podSysctls(pod: Pod): readonly KernelSetting[] {
  return (pod.spec?.securityContext?.sysctls ?? []).map(({ name = "", value = "" }) => {
    const dotted = name.replaceAll("/", ".");
    if (!safe.has(dotted)) throw new Error(`forbidden sysctl: ${JSON.stringify(name)} not allowlisted`);
    if (pod.spec?.hostNetwork === true) throw new Error(`forbidden sysctl: ${JSON.stringify(name)} not allowed with host net enabled`);
    return { path: dotted.replaceAll(".", "/"), value };
  });
}
