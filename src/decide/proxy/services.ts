/** Plans all Services at once: for `explain`, for a plan in a file, and as the oracle of the incremental runner. */
import type { EndpointSlice, Service } from "../../api/types.ts";
import type { PlanNode, PlanOptions, ProxyPlan } from "./plan.ts";
import { planService } from "./service.ts";

const serviceNameLabel = "kubernetes.io/service-name";

/** `ns/name` of the Service that a slice belongs to; undefined for a slice that the proxy must not read. */
export function serviceKeyOfSlice({ metadata }: EndpointSlice): string | undefined {
  const name = metadata.labels?.[serviceNameLabel] ?? "";
  // A headless Service's slices carry the label; upstream does not even watch them.
  if (name === "" || metadata.labels?.["service.kubernetes.io/headless"] !== undefined) return undefined;
  return `${metadata.namespace ?? ""}/${name}`;
}

export function planServices(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  node: PlanNode,
  options: PlanOptions = {},
): ProxyPlan {
  const byService = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const key = serviceKeyOfSlice(slice);
    if (key === undefined) continue;
    const list = byService.get(key);
    if (list === undefined) byService.set(key, [slice]);
    else list.push(slice);
  }
  const planned = services
    .map((service) => ({ key: `${service.metadata.namespace ?? ""}/${service.metadata.name ?? ""}`, service }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ key, service }) => planService(service, byService.get(key) ?? [], node, options));
  return Object.freeze({ kind: "plan" as const, node, services: Object.freeze(planned) });
}
