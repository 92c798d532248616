/** The decisions of the proxy: the plan, and what it does with a packet. Pure; see each file. */
export { categorizeEndpoints, type Categories, type CategoryNode, type EndpointPolicies } from "./categorize.ts";
export { selectNodePortAddresses, sourceClassifier, type NodePortSelection } from "./node.ts";
export {
  endpointsOf,
  servicePortText,
  type Affinity,
  type EndpointSet,
  type FamilyEndpoints,
  type LeftOutEndpoint,
  type PlanEndpoint,
  type PlannedService,
  type PlanNode,
  type PlanOptions,
  type PodInterface,
  type PortPlan,
  type Protocol,
  type ProxyPlan,
  type ServicePlan,
  type ServicePortName,
  type SkippedService,
  type SourceClass,
  type Verdict,
  type VirtualAddress,
} from "./plan.ts";
export { proxyReasons, type LeftOutReason, type ProxyReason, type SkipReason } from "./reasons.ts";
export { planService } from "./service.ts";
export { planServices, serviceKeyOfSlice } from "./services.ts";
export { leftoverFlows, staleMatches, type FlowMatch, type TrackedFlow } from "./stale-flows.ts";
export { topologyKeysAnnotation, topologyKeysOf } from "./topology-keys.ts";
export { judge, trace, type Packet, type Trace, type TracedEndpoint, type TraceOptions } from "./trace.ts";
export { algorithms, spokenHttp, trafficOf, type Algorithm, type Traffic } from "./traffic.ts";
