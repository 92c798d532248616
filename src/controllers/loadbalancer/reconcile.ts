/** What is to be done about a Service's load balancer. Pure. (upstream `cloud-provider/controllers/service/controller.go`) */
import type { LoadBalancerIngress, LoadBalancerStatus, Node, Service } from "../../api/types.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";

/** Keeps a deleted Service until its load balancer is gone (KEP-980). */
export const cleanupFinalizer = "service.kubernetes.io/load-balancer-cleanup";
/** A node with this label gets no traffic from load balancers (KEP-1143). */
const excludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers";

export type Work =
  /** Somebody else's, or nobody's: `spec.loadBalancerClass` names another implementation (KEP-1959). */
  | { readonly kind: "ignore" }
  | { readonly kind: "ensure"; readonly className: string; readonly addFinalizer: boolean }
  /** It wants none any more, or is going. */
  | { readonly kind: "cleanup" };

export function workFor(service: Service, classes: ReadonlySet<string>): Work {
  const { metadata, spec } = service;
  const marked = (metadata.finalizers ?? []).includes(cleanupFinalizer);
  const className = spec?.loadBalancerClass ?? "";
  if (spec?.type === "LoadBalancer" && !classes.has(className)) return { kind: "ignore" };
  if (spec?.type === "LoadBalancer" && metadata.deletionTimestamp === undefined)
    return { kind: "ensure", className, addFinalizer: !marked };
  return marked ? { kind: "cleanup" } : { kind: "ignore" };
}

export function withFinalizer(service: Service): Service {
  return { ...service, metadata: { ...service.metadata, finalizers: [...(service.metadata.finalizers ?? []), cleanupFinalizer] } };
}

export function withoutFinalizer(service: Service): Service {
  const finalizers = (service.metadata.finalizers ?? []).filter((name) => name !== cleanupFinalizer);
  return { ...service, metadata: { ...service.metadata, finalizers } };
}

/** The Service with this status; undefined: it has it already. */
export function withIngress(service: Service, ingress: readonly LoadBalancerIngress[]): Service | undefined {
  const loadBalancer: LoadBalancerStatus = ingress.length === 0 ? {} : { ingress };
  if (semanticEqual(service.status?.loadBalancer?.ingress ?? [], ingress)) return undefined;
  return { ...service, status: { ...service.status, loadBalancer } };
}

/** Names of the nodes that load balancers may send to, sorted; not ready ones among them (KEP-3458: health checks are for that). */
export function targetNodes(nodes: readonly Node[]): readonly string[] {
  return nodes
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined && metadata.labels?.[excludeLabel] === undefined)
    .map(({ metadata }) => metadata.name ?? "")
    .sort();
}
