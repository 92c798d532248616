/** Counts Service ports that drop here by policy Local what another node could take: kept with each change, whatever the number of Services. */
import type { PortPlan, ServicePlan } from "../decide/proxy/index.ts";
import type { IpFamily } from "../lib/ip.ts";

export type TrafficPolicy = "internal" | "external";
export type DropCount = (policy: TrafficPolicy, family: IpFamily, by: number) => void;

/** Tells by how much the counts change where `old` becomes `next`. */
export function countDrops(old: ServicePlan | undefined, next: ServicePlan | undefined, count: DropCount): void {
  each(old, -1, count);
  each(next, 1, count);
}

function each(plan: ServicePlan | undefined, by: number, count: DropCount): void {
  if (plan?.kind !== "service") return;
  for (const port of plan.ports) {
    // Others never drop, and are most.
    if (port.internalTrafficPolicy !== "Local" && port.externalTrafficPolicy !== "Local") continue;
    for (const policy of ["internal", "external"] as const) {
      for (const family of [4, 6] as const) if (dropsHere(port, policy, family)) count(policy, family, by);
    }
  }
}

function dropsHere({ addresses }: PortPlan, policy: TrafficPolicy, of: IpFamily): boolean {
  return addresses.some(
    ({ kind, family, verdicts }) =>
      family === of && (kind === "clusterIP") === (policy === "internal") && verdicts.external.kind === "drop",
  );
}
