/** The built-in kinds whose objects decide what becomes of a request: what explanations, their history and the console look at. */
import {
  deployments,
  endpointSlices,
  ingressClasses,
  ingresses,
  namespaces,
  networkPolicies,
  nodes,
  pods,
  serviceCidrs,
  services,
  statefulSets,
  type Resource,
} from "../../api/resources.ts";

export const decidingResources: readonly Resource[] = [
  namespaces,
  nodes,
  pods,
  services,
  endpointSlices,
  ingresses,
  ingressClasses,
  networkPolicies,
  serviceCidrs,
  deployments,
  statefulSets,
];
