/** Whether NetworkPolicies are enforced in a cluster; where not, whoever makes one is told why. */
import type { KindSpec } from "../api/kind.ts";
import type { ClusterOptions } from "./cluster-options.ts";
import type { ClusterMode } from "./network/network.ts";

/** Undefined: they are. */
export function whyPoliciesAreNotEnforced(
  mode: ClusterMode,
  { simulate = false, disable, proxyMode }: Pick<ClusterOptions, "simulate" | "disable" | "proxyMode">,
): string | undefined {
  if (simulate) return "simulated pods send nothing";
  if (mode === "loopback") return "in loopback mode all pods share the host's network, and reach each other";
  if (disable.includes("networkpolicy")) return "--disable networkpolicy";
  // Its packets to Services do not pass the hook where policies are asked.
  return proxyMode === "ipvs" ? "not with --proxy-mode ipvs" : undefined;
}

/** A kind is data, so the warning is laid over it here, where the way of running is known. */
export function withPolicyWarnings(kinds: readonly KindSpec[], why: string | undefined): readonly KindSpec[] {
  if (why === undefined) return kinds;
  const text = `NetworkPolicies are stored but not enforced by this cluster: ${why}`;
  return kinds.map((kind) =>
    kind.resource.kind === "NetworkPolicy" ? { ...kind, warnings: (_, old) => (old === undefined ? [text] : []) } : kind,
  );
}
