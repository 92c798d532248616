/**
 * Why the proxy plan is as it is: one stable code per outcome, shared by the planner, `explain`, Events and the docs.
 * CamelCase as Kubernetes' own reasons; a code is never renamed or given another meaning.
 */

/** code → what it means, in a few words. */
export const proxyReasons = {
  // A Service that gets no ports in the plan.
  Headless: "the Service has no cluster IP (clusterIP: None): clients use the endpoints' own addresses, by DNS",
  ExternalName: "the Service is an alias for a DNS name: it carries no traffic itself",
  NoClusterIP: "the Service has no cluster IP yet",
  OtherProxy: "the label service.kubernetes.io/service-proxy-name leaves the Service to another proxy",
  // An endpoint that no new connection goes to.
  NotReady: "the endpoint is not ready",
  Terminating: "the endpoint is being deleted and no longer serves",
  TerminatingWhileOthersReady: "the endpoint is being deleted; it serves, but others are ready",
  HintedForOtherZone: "the endpoint's hints give it to another zone, and this node's zone has endpoints of its own",
  HintedForOtherNode: "the endpoint's hints give it to another node, and this node has endpoints of its own",
  OtherTopology: "the annotation fairlead.dev/topology-keys leads to endpoints nearer to this node, or to none",
  NotLocal: "the traffic policy is Local and the endpoint is on another node",
  InvalidAddress: "the endpoint's address is no IP address",
  // A virtual address that leads nowhere, or not for everyone.
  NoEndpoints: "the Service port has no usable endpoint anywhere",
  NoLocalEndpoints: "the traffic policy is Local and no usable endpoint is on this node",
  SourceNotAllowed: "loadBalancerSourceRanges does not hold the client's address",
  NoSuchPort: "the address belongs to a Service, which has no such port",
  UnallocatedAddress: "the address is in the Service range and belongs to no Service",
} as const satisfies Readonly<Record<string, string>>;

export type ProxyReason = keyof typeof proxyReasons;

export type SkipReason = Extract<ProxyReason, "Headless" | "ExternalName" | "NoClusterIP" | "OtherProxy">;

export type LeftOutReason = Extract<
  ProxyReason,
  | "NotReady"
  | "Terminating"
  | "TerminatingWhileOthersReady"
  | "HintedForOtherZone"
  | "HintedForOtherNode"
  | "OtherTopology"
  | "NotLocal"
  | "InvalidAddress"
>;
