/** What the objects' status says. Pure: what is bound where comes in as facts. */
import { condition, stamped } from "./conditions.ts";
import type { GatewayPlan, SetPlan } from "./gateway.ts";
import type { PlannedListener } from "./listeners.ts";
import {
  gatewayGroup,
  type Condition,
  type GatewayObjectStatus,
  type ListenerSet,
  type ListenerStatus,
  type RouteParentStatus,
} from "./objects.ts";
import type { PolicyPlan } from "./backend-tls.ts";
import type { RoutePlan } from "./route.ts";
import { isServable, portName } from "./table.ts";

/** What became of a port. */
export type BoundPort =
  | { readonly kind: "ok"; readonly port: number; /** Why it is not the port that was wanted. */ readonly standIn?: string }
  | { readonly kind: "pending" }
  | { readonly kind: "failed"; readonly why: string };

export interface GatewayFacts {
  /** Where it listens. */
  readonly addresses: readonly string[];
  /** Those that it asks for and cannot have, with the reason. */
  readonly unusable: readonly string[];
  readonly bound: (portName: string) => BoundPort;
  /** Routes of a listener, by its id. */
  readonly attachedRoutes: (id: string) => number;
}

/** RFC 3339. */
export type Now = string;

export function gatewayStatus(plan: GatewayPlan, facts: GatewayFacts, now: Now): GatewayObjectStatus {
  const { gateway, listeners, sets } = plan;
  const generation = gateway.metadata.generation ?? 0;
  const before = gateway.status;
  const own = listeners.filter(({ owner }) => owner.kind === "Gateway");
  const programmed =
    plan.refused === undefined && facts.addresses.length > 0 && listeners.some((listener) => isProgrammed(plan, listener, facts));
  return {
    addresses: plan.refused === undefined ? facts.addresses.map((value) => ({ type: "IPAddress", value })) : [],
    conditions: stamped(
      [acceptedOf(plan, own), programmedOf(plan, facts, programmed), plan.resolvedRefs, ...insecureMode(plan)],
      before?.conditions,
      generation,
      now,
    ),
    listeners: own.map((listener) => listenerStatus(plan, listener, facts, before?.listeners, now)),
    attachedListenerSets: sets.filter((set) => set.refused === undefined && setIsAccepted(plan, set)).length,
  };
}

function acceptedOf({ refused }: GatewayPlan, own: readonly PlannedListener[]): Condition {
  if (refused !== undefined) return refused;
  const invalid = own.filter(
    ({ accepted, resolvedRefs }) =>
      accepted.status !== "True" || (resolvedRefs.status !== "True" && resolvedRefs.reason !== "InvalidRouteKinds"),
  );
  if (invalid.length === 0) return condition("Accepted", true, "Accepted");
  const message = invalid
    .map(
      ({ spec, accepted, resolvedRefs }) =>
        `listener ${spec.name}: ${accepted.status === "True" ? resolvedRefs.message : accepted.message}`,
    )
    .join("; ");
  const some = own.some(({ accepted }) => accepted.status === "True");
  return condition("Accepted", some, "ListenersNotValid", message);
}

function programmedOf(
  { refused, key, listeners }: GatewayPlan,
  { addresses, unusable, bound }: GatewayFacts,
  programmed: boolean,
): Condition {
  if (refused !== undefined) return condition("Programmed", false, "Invalid", refused.message);
  if (unusable.length > 0) return condition("Programmed", false, "AddressNotUsable", unusable.join("; "));
  if (addresses.length === 0) return condition("Programmed", false, "AddressNotAssigned", "no address is left");
  if (programmed) return condition("Programmed", true, "Programmed");
  const opening = listeners.some((listener) => isServable(listener) && bound(portName(key, listener)).kind === "pending");
  if (opening) return condition("Programmed", false, "Pending", "ports are being opened");
  return condition("Programmed", false, "Invalid", "no listener can be served");
}

function insecureMode({ listeners }: GatewayPlan): readonly Condition[] {
  if (!listeners.some(({ clients }) => clients?.insecureFallback === true)) return [];
  return [
    condition(
      "InsecureFrontendValidationMode",
      true,
      "ConfigurationChanged",
      "clients without a valid certificate are served too (AllowInsecureFallback)",
    ),
  ];
}

export function listenerStatus(
  { key }: Pick<GatewayPlan, "key">,
  listener: PlannedListener,
  facts: GatewayFacts,
  before: readonly ListenerStatus[] = [],
  now: Now,
): ListenerStatus {
  const { spec, owner, kinds, accepted, conflicted, resolvedRefs, overlapping } = listener;
  const old = before.find(({ name }) => name === spec.name);
  const bound = facts.bound(portName(key, listener));
  const unavailable = accepted.status === "True" && isServable(listener) && bound.kind === "failed";
  const wanted = [
    unavailable ? condition("Accepted", false, "PortUnavailable", bound.why) : accepted,
    conflicted,
    resolvedRefs,
    programmedListener(listener, bound),
    ...(overlapping === undefined ? [] : [overlapping]),
  ];
  return {
    name: spec.name,
    supportedKinds: kinds.map((kind) => ({ group: gatewayGroup, kind })),
    attachedRoutes: facts.attachedRoutes(listener.id),
    conditions: stamped(wanted, old?.conditions, owner.generation, now),
  };
}

function programmedListener(listener: PlannedListener, bound: BoundPort): Condition {
  if (!isServable(listener)) {
    const { accepted, resolvedRefs, conflicted } = listener;
    const reason = conflicted.status === "True" ? conflicted.reason : "Invalid";
    return condition("Programmed", false, reason, accepted.status === "True" ? resolvedRefs.message : accepted.message);
  }
  switch (bound.kind) {
    case "ok":
      return condition(
        "Programmed",
        true,
        "Programmed",
        bound.standIn === undefined ? "" : `on port ${bound.port} instead: ${bound.standIn}`,
      );
    case "pending":
      return condition("Programmed", false, "Pending", "the port is being opened");
    case "failed":
      return condition("Programmed", false, "Invalid", bound.why);
  }
}

function isProgrammed({ key }: GatewayPlan, listener: PlannedListener, { bound }: GatewayFacts): boolean {
  return isServable(listener) && bound(portName(key, listener)).kind === "ok";
}

/** A ListenerSet of which no listener is valid is none. */
export function setIsAccepted({ listeners }: GatewayPlan, { key, refused }: SetPlan): boolean {
  return refused === undefined && listeners.some((listener) => isOf(listener.owner, key) && isServable(listener));
}

function isOf({ kind, namespace, name }: PlannedListener["owner"], key: string): boolean {
  return kind === "ListenerSet" && `${namespace}/${name}` === key;
}

export function listenerSetStatus(plan: GatewayPlan, setPlan: SetPlan, facts: GatewayFacts, now: Now): NonNullable<ListenerSet["status"]> {
  const { set, key, refused } = setPlan;
  const generation = set.metadata.generation ?? 0;
  const own = plan.listeners.filter(({ owner }) => isOf(owner, key));
  const invalid = own.filter(({ accepted, resolvedRefs }) => accepted.status !== "True" || resolvedRefs.status !== "True");
  const valid = setIsAccepted(plan, setPlan);
  const message = invalid
    .map(
      ({ spec, accepted, resolvedRefs }) =>
        `listener ${spec.name}: ${accepted.status === "True" ? resolvedRefs.message : accepted.message}`,
    )
    .join("; ");
  const accepted = refused ?? condition("Accepted", valid, invalid.length === 0 ? "Accepted" : "ListenersNotValid", message);
  const isOn = refused === undefined && own.some((listener) => isProgrammed(plan, listener, facts));
  const programmed = isOn
    ? condition("Programmed", true, "Programmed")
    : condition("Programmed", false, refused?.reason ?? "ListenersNotValid", refused?.message ?? message);
  return {
    conditions: stamped([accepted, programmed], set.status?.conditions, generation, now),
    listeners: own.map((listener) => listenerStatus(plan, listener, facts, set.status?.listeners, now)),
  };
}

/** Ours; those of other controllers stay as they are. */
export function routeParents({ route, parents }: RoutePlan, controllerName: string, now: Now): readonly RouteParentStatus[] {
  const before = route.status?.parents ?? [];
  const others = before.filter((each) => each.controllerName !== controllerName);
  const generation = route.metadata.generation ?? 0;
  const own = parents.map(({ parentRef, conditions }): RouteParentStatus => {
    const old = before.find((each) => each.controllerName === controllerName && sameRef(each.parentRef, parentRef));
    return { parentRef, controllerName, conditions: stamped(conditions, old?.conditions, generation, now) };
  });
  return [...others, ...own];
}

function sameRef(a: RouteParentStatus["parentRef"], b: RouteParentStatus["parentRef"]): boolean {
  const text = ({ group = gatewayGroup, kind = "Gateway", namespace = "", name, sectionName = "", port = 0 }: typeof a) =>
    `${group} ${kind} ${namespace} ${name} ${sectionName} ${port}`;
  return text(a) === text(b);
}

/** `gateways`: keys of those whose routes lead to a Service that it is for. */
export function policyAncestors(
  { policy, accepted, resolvedRefs }: PolicyPlan,
  gateways: readonly string[],
  controllerName: string,
  now: Now,
) {
  const before = policy.status?.ancestors ?? [];
  const others = before.filter((each) => each.controllerName !== controllerName);
  const generation = policy.metadata.generation ?? 0;
  const own = gateways.map((key) => {
    const [namespace = "", name = ""] = key.split("/");
    const ancestorRef = { group: gatewayGroup, kind: "Gateway", namespace, name };
    const old = before.find((each) => each.controllerName === controllerName && sameRef(each.ancestorRef, ancestorRef));
    return { ancestorRef, controllerName, conditions: stamped([accepted, resolvedRefs], old?.conditions, generation, now) };
  });
  // The API has room for 16.
  return [...others, ...own].slice(0, 16);
}
