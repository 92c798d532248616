/** The Gateway API: which Gateway listens where, which route belongs to which listener, and what each object's status says. Pure. */
export { planPolicies, type PolicyIndex, type PolicyPlan } from "./backend-tls.ts";
export { type Parents } from "./attach.ts";
export { isTrue, stamped, condition } from "./conditions.ts";
export { isOurs, keyOf, planGateway, type GatewayPlan, type SetPlan } from "./gateway.ts";
export { type ClientValidation, type NamedObject, type PlannedListener } from "./listeners.ts";
export * from "./objects.ts";
export { planRoute, type RoutePlan } from "./route.ts";
export { gatewayStatus, listenerSetStatus, policyAncestors, routeParents, type BoundPort, type GatewayFacts } from "./status.ts";
export { gatewayPorts, httpListener, sectionHost, sectionStreams, streamListener, type GatewayPort } from "./table.ts";
export { type GatewayWorld } from "./world.ts";
