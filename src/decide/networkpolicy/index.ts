/** NetworkPolicies (networking.k8s.io/v1), decided: what they mean, what they say of a connection, and the rules that carry them out. */
export { planPolicy, type Direction, type PolicyPlan } from "./plan.ts";
export { PolicyRenderer } from "./renderer.ts";
export { tracePolicies, type PolicyPacket, type PolicyVerdict } from "./trace.ts";
export { PolicyTracker, type PolicyChange } from "./tracker.ts";
export { policyPodOf, type PolicyPod, type PolicyWorld } from "./world.ts";
