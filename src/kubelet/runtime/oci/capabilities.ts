/** Capabilities of containers (capabilities(7)). Pure. */
import type { Container } from "../../../api/types.ts";

/**
 * What containerd gives (pkg/oci `defaultUnixCaps`), without MKNOD: nothing here keeps a container from the devices that it would
 * make nodes of.
 */
export const defaultCapabilities: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

const others: readonly string[] = [
  "CAP_AUDIT_CONTROL",
  "CAP_AUDIT_READ",
  "CAP_BLOCK_SUSPEND",
  "CAP_BPF",
  "CAP_CHECKPOINT_RESTORE",
  "CAP_DAC_READ_SEARCH",
  "CAP_IPC_LOCK",
  "CAP_IPC_OWNER",
  "CAP_LEASE",
  "CAP_LINUX_IMMUTABLE",
  "CAP_MAC_ADMIN",
  "CAP_MAC_OVERRIDE",
  "CAP_MKNOD",
  "CAP_NET_ADMIN",
  "CAP_NET_BROADCAST",
  "CAP_PERFMON",
  "CAP_SYSLOG",
  "CAP_SYS_ADMIN",
  "CAP_SYS_BOOT",
  "CAP_SYS_MODULE",
  "CAP_SYS_NICE",
  "CAP_SYS_PACCT",
  "CAP_SYS_PTRACE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_RESOURCE",
  "CAP_SYS_TIME",
  "CAP_SYS_TTY_CONFIG",
  "CAP_WAKE_ALARM",
];

export const allCapabilities: readonly string[] = [...defaultCapabilities, ...others].toSorted();

/** What the container's program has: the defaults without `drop`, with `add`; `ALL` means all. Names may come with or without CAP_. */
export function capabilitiesOf({ securityContext }: Container): readonly string[] {
  if (securityContext?.privileged === true) return allCapabilities;
  const { add = [], drop = [] } = securityContext?.capabilities ?? {};
  const added = add.map(capabilityName);
  const dropped = drop.map(capabilityName);
  const base = added.includes("CAP_ALL") ? allCapabilities : dropped.includes("CAP_ALL") ? [] : defaultCapabilities;
  const kept = base.filter((name) => !dropped.includes(name));
  return [...new Set([...kept, ...added.filter((name) => name !== "CAP_ALL")])].filter((name) => allCapabilities.includes(name)).toSorted();
}

/** Of `capabilities.add`, those that the kernel does not have by that name: the container cannot start. */
export function unknownCapabilities({ securityContext }: Container): readonly string[] {
  return (securityContext?.capabilities?.add ?? []).filter(
    (name) => capabilityName(name) !== "CAP_ALL" && !allCapabilities.includes(capabilityName(name)),
  );
}

/** With its `CAP_`, in capitals. */
export function capabilityName(name: string): string {
  const upper = name.toUpperCase();
  return upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
}
