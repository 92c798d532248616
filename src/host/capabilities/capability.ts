/** What this machine lets the program do: the list, and what follows from it. */

/** In the order in which they are shown; earlier ones are needed by later ones. */
export const capabilityIds = [
  "tools",
  "ffi",
  "user-namespaces",
  "namespaces",
  "links",
  "ipv6",
  "nftables",
  "conntrack",
  "low-ports",
  "subordinate-ids",
  "open-files",
  "sctp",
  "ipvs",
  "tun",
] as const;
export type CapabilityId = (typeof capabilityIds)[number];

export interface Capability {
  readonly id: CapabilityId;
  readonly ok: boolean;
  /** What was tried and what came of it, in one line. */
  readonly why: string;
  /** What a person would run or do to have it; absent where it is there, or nothing helps. */
  readonly enable?: string;
}

export interface Mode {
  readonly mode: "namespaces" | "loopback";
  /** For `enterNamespaces`. */
  readonly userNamespace: boolean;
  /** Why not namespaces. */
  readonly why?: string;
  readonly enable?: string;
}

/** Without these a node cannot be a network namespace. The rest has a stand-in or is a feature of its own. */
const needed: readonly CapabilityId[] = ["tools", "ffi", "user-namespaces", "namespaces", "links", "nftables"];

/** `root`: whether namespaces were tried without a user namespace. An id that was not tried counts as there. */
export function bestMode(capabilities: readonly Capability[], root: boolean): Mode {
  const missing = needed
    .map((id) => capabilities.find((capability) => capability.id === id))
    .find((capability) => capability?.ok === false);
  if (missing === undefined) return { mode: "namespaces", userNamespace: !root };
  const enable = missing.enable === undefined ? {} : { enable: missing.enable };
  return { mode: "loopback", userNamespace: false, why: missing.why, ...enable };
}
