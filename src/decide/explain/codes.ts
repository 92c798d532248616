/**
 * What can become of a request, one stable code per cause: `explain` gives the first cause on the way, docs/explain.md lists all (a test
 * holds the two together). A code is never renamed or given another meaning. Order: along the way of a request.
 */

interface CodeInfo {
  /** `fine`: the request arrives. `broken`: it does not. `unknown`: nothing in the cluster can say. */
  readonly kind: "fine" | "broken" | "unknown";
  readonly meaning: string;
}

const fine = (meaning: string) => ({ kind: "fine", meaning }) as const;
const broken = (meaning: string) => ({ kind: "broken", meaning }) as const;
const unknown = (meaning: string) => ({ kind: "unknown", meaning }) as const;

export const explainCodes = {
  Reachable: fine("an endpoint gets the request"),
  Resolves: fine("the name has an answer"),
  LeavesCluster: unknown("the name or address is none of the cluster's: what is outside decides"),
  NotRead: unknown("what decides could not be read"),

  ClientNotFound: broken("the pod or node that asks does not exist"),
  HostsFileAnswers: broken("the pod's /etc/hosts has the name, so that the Service of that name is not asked for"),
  NotAClusterClient: broken("the client does not use the cluster's DNS"),
  DnsServerDown: broken("the cluster's DNS Service has no ready endpoint"),
  NamespaceNotFound: broken("the namespace of the name does not exist"),
  ServiceNotFound: broken("no Service has the name"),
  ServiceInOtherNamespace: broken("a Service has the name, in another namespace than the one asked"),
  NotAServiceName: broken("no name of a cluster looks like this"),
  PodNameNotFound: broken("the Service has no endpoint of that hostname"),
  PortNameNotFound: broken("the Service has no port of the name and protocol asked for"),
  AliasIsAddress: broken("an ExternalName that is an address: DNS cannot answer with it"),
  AliasLeadsNowhere: broken("an ExternalName whose target does not resolve"),
  AliasOfItself: broken("an ExternalName that leads back to itself"),
  HeadlessWithoutEndpoints: broken("a headless Service without ready endpoints has no address"),

  NoClusterIP: broken("the Service has no cluster IP"),
  OtherProxy: broken("the label service.kubernetes.io/service-proxy-name leaves the Service to another proxy"),
  ProxyDown: broken("the proxy on the client's node is not running"),
  PortNotFound: broken("the Service has no such port"),
  ProtocolMismatch: broken("the Service has the port for another protocol"),
  HeadlessPort: broken("a headless Service maps no ports: clients must use the pods' own"),
  AddressUnknown: broken("the address is in the Service range and belongs to no Service"),
  NodePortUnknown: broken("no Service has the node port"),
  AddressConflict: broken("another Service has the same address and port"),
  InternalAddress: broken("the address exists only inside the cluster"),
  LoadBalancerPending: broken("nobody has given the load balancer an address"),
  SourceNotAllowed: broken("loadBalancerSourceRanges does not hold the client"),

  NoSelectorNoEndpoints: broken("the Service has no selector, and nobody wrote endpoints for it"),
  EndpointPortMismatch: broken("the EndpointSlices name another port than the Service"),
  NoPodsAtAll: broken("the namespace has no pods"),
  ScaledToZero: broken("what makes the pods asks for none"),
  PodsNotCreated: broken("what makes the pods could not make them"),
  SelectorTypo: broken("no pod matches the selector; some would with another value or key"),
  SelectorMatchesNothing: broken("no pod matches the selector, and none comes near"),
  PodsInOtherNamespace: broken("the pods that match are in another namespace"),
  PodsFinished: broken("the pods that match ran to their end"),
  PodsUnscheduled: broken("the pods that match have no node"),
  ImageCannotBePulled: broken("the image of the pods that match cannot be had"),
  PodsCrash: broken("the containers of the pods that match end again and again"),
  ProbePortWrong: broken("the readiness probe asks at a port that no container declares"),
  ProbeFails: broken("the readiness probe of the pods that match does not succeed"),
  ReadinessGateClosed: broken("a readiness gate of the pods that match is not open"),
  PodsNotReady: broken("the pods that match are not ready"),
  NodeDown: broken("the node of the pods that match does not answer"),
  PodsTerminating: broken("the pods that match are all being deleted"),
  NodeUnknown: broken("the pods that match are on a node that does not exist"),
  NoAddressOfFamily: broken("the pods that match have no address of the Service's IP family"),
  TargetPortNameMissing: broken("no container port has the name and protocol that targetPort asks for"),
  EndpointsBehind: broken("the EndpointSlices do not say yet what the pods' state calls for"),
  NoLocalEndpoints: broken("the traffic policy is Local, and no endpoint is on the node"),
  TopologyLeadsNowhere: broken("the annotation fairlead.dev/topology-keys leads to no endpoint"),
  TargetPortNotDeclared: broken("the pods declare ports, and targetPort is none of them: most likely nothing listens there"),
  DeniedByNetworkPolicy: broken("a NetworkPolicy lets the client not through"),

  RouteNotServed: broken("no controller serves the Ingress or route"),
  RouteInvalid: broken("the Ingress or route cannot be used as it is written"),
  RouteNotAttached: broken("no listener of a Gateway takes the route"),
  NoRouteForHost: broken("no rule is for the host"),
  NoRouteForPath: broken("rules are for the host, none for the path"),
  NoRouteForRequest: broken("a rule is for host and path, but wants another method, header or parameter"),
  RouteOutranked: broken("another rule takes what this one is for"),
  BackendServiceNotFound: broken("the rule leads to a Service that does not exist"),
  BackendPortNotFound: broken("the rule leads to a port that the Service does not have"),
  BackendUnusable: broken("the rule leads to what the gateway does not serve"),
  BackendNotPermitted: broken("the rule leads into another namespace, and no ReferenceGrant permits it"),

  PodNotFound: broken("there is no such pod"),
  PodNotRunning: broken("the pod does not run"),
  TargetUnknown: broken("there is no such object"),

  LiveDiffers: broken("what was tried did not go as the objects say it should"),
  PodRefuses: broken("the pod's address refuses connections: nothing listens at the port, or at 127.0.0.1 only"),
} as const satisfies Readonly<Record<string, CodeInfo>>;

export type ExplainCode = keyof typeof explainCodes;
