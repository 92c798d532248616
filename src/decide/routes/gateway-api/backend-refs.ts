/** What a route names as its backends: which of them can be used, and what the route's ResolvedRefs says of the others. */
import { servicePort } from "../backends.ts";
import type { BackendRef } from "../route-table.ts";
import { condition } from "./conditions.ts";
import { gatewayGroup, type AnyRouteKind, type BackendObjectRef, type Condition } from "./objects.ts";
import { isPermitted, referent } from "./references.ts";
import type { GatewayWorld } from "./world.ts";

export interface RefContext {
  readonly kind: AnyRouteKind;
  readonly namespace: string;
  readonly world: GatewayWorld;
  /** Gets what is wrong; the first one becomes the route's condition. */
  readonly problems: Condition[];
  /** `namespace/name` of every Service that is named, for whoever must know when to look again. */
  readonly services: Set<string>;
}

/** Never undefined: one that cannot be used still has its share of the requests, which get an error. */
export function backendRef(ref: BackendObjectRef, context: RefContext): BackendRef {
  const { kind, namespace } = context;
  const to = referent(ref, "Service", namespace);
  const found: BackendRef = {
    kind: "Service",
    namespace: to.namespace,
    name: to.name,
    port: { kind: "number", number: ref.port ?? 0 },
    weight: ref.weight ?? 1,
    ...(kind === "GRPCRoute" ? { speaks: "h2c" as const } : {}),
    ...(kind === "UDPRoute" ? { transport: "UDP" as const } : {}),
  };
  const fault = refFault(found, to.group, to.kind, context);
  if (fault === undefined) return found;
  context.problems.push(fault);
  return { ...found, refused: fault.message };
}

function refFault(
  ref: BackendRef,
  group: string,
  kind: string,
  { world, namespace, kind: routeKind, services }: RefContext,
): Condition | undefined {
  const fault = (reason: string, message: string) => condition("ResolvedRefs", false, reason, message);
  if (group !== "" || kind !== "Service")
    return fault("InvalidKind", `backend ${kind}${group === "" ? "" : `.${group}`} ${JSON.stringify(ref.name)} is no Service`);
  const to = { group, kind, namespace: ref.namespace, name: ref.name };
  if (!isPermitted({ group: gatewayGroup, kind: routeKind, namespace }, to, world.grants(ref.namespace))) {
    return fault("RefNotPermitted", `no ReferenceGrant in ${ref.namespace} permits Service ${ref.namespace}/${ref.name}`);
  }
  services.add(`${ref.namespace}/${ref.name}`);
  const secured = world.backendTlsPolicies(ref.namespace).some(({ spec }) => spec.targetRefs.some(({ name }) => name === ref.name));
  const port = servicePort(ref, world.service(ref.namespace, ref.name), secured);
  if (!("kind" in port)) return undefined;
  return fault(port.reason === "AppProtocol" || port.reason === "PortProtocol" ? "UnsupportedProtocol" : "BackendNotFound", port.message);
}
