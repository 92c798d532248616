/**
 * Where a route belongs: for each of its parents, the listeners that take it, for which hosts, or why none does
 * (Gateway API `ParentReference`, `AllowedRoutes`, HTTPRoute `hostnames`).
 */
import { hostPattern, intersectPatterns } from "../host.ts";
import { condition } from "./conditions.ts";
import type { GatewayPlan } from "./gateway.ts";
import type { PlannedListener } from "./listeners.ts";
import { gatewayGroup, type AnyRoute, type Condition, type ParentRef } from "./objects.ts";
import { namespaceAllowed } from "./references.ts";

export interface Attachment {
  /** Of the Gateway. */
  readonly gateway: string;
  readonly listener: PlannedListener;
  /** Patterns of the table. */
  readonly hosts: readonly string[];
}

export interface ParentVerdict {
  readonly parentRef: ParentRef;
  readonly accepted: Condition;
  readonly attachments: readonly Attachment[];
  /** The Gateway that it comes down to. */
  readonly gateway: string;
}

/** Where parents are found. A parent that is not ours is nobody's affair here. */
export interface Parents {
  readonly gateway: (key: string) => GatewayPlan | undefined;
  /** The Gateway whose ListenerSet this is, whether or not it takes it. */
  readonly gatewayOfSet: (key: string) => GatewayPlan | undefined;
  readonly namespaceLabels: (name: string) => Readonly<Record<string, string>> | undefined;
}

export function attach(route: AnyRoute, parents: Parents): readonly ParentVerdict[] {
  return (route.spec.parentRefs ?? []).flatMap((ref) => {
    const found = findParent(ref, route.metadata.namespace ?? "", parents);
    return found === undefined ? [] : [attachTo(route, ref, found, parents)];
  });
}

interface Parent {
  readonly plan: GatewayPlan;
  /** Its own listeners; those of its ListenerSets are reached through these. */
  readonly listeners: readonly PlannedListener[];
  /** `Gateway shop/edge` */
  readonly name: string;
}

function findParent(
  { group = gatewayGroup, kind = "Gateway", namespace, name }: ParentRef,
  own: string,
  parents: Parents,
): Parent | undefined {
  if (group !== gatewayGroup) return undefined;
  const key = `${namespace ?? own}/${name}`;
  const plan = kind === "Gateway" ? parents.gateway(key) : kind === "ListenerSet" ? parents.gatewayOfSet(key) : undefined;
  if (plan === undefined) return undefined;
  const listeners = plan.listeners.filter(({ owner }) => owner.kind === kind && `${owner.namespace}/${owner.name}` === key);
  return { plan, listeners, name: `${kind} ${key}` };
}

function attachTo(route: AnyRoute, parentRef: ParentRef, parent: Parent, parents: Parents): ParentVerdict {
  const { plan, name } = parent;
  const no = (reason: string, message: string): ParentVerdict => ({
    parentRef,
    accepted: condition("Accepted", false, reason, message),
    attachments: [],
    gateway: plan.key,
  });
  const named = parent.listeners.filter(({ spec }) => isNamed(spec, parentRef));
  if (named.length === 0) return no("NoMatchingParent", `${name} has no listener${describeRef(parentRef)}`);
  const allowed = named.filter((listener) => allows(listener, route, parents));
  if (allowed.length === 0)
    return no("NotAllowedByListeners", `no listener of ${name} takes a ${route.kind} of namespace ${route.metadata.namespace}`);
  const attachments = allowed.flatMap((listener): Attachment[] => {
    const hosts = effectiveHosts(route, listener);
    return hosts.length === 0 ? [] : [{ gateway: plan.key, listener, hosts }];
  });
  if (attachments.length === 0)
    return no("NoMatchingListenerHostname", `no listener of ${name} is for any of ${(route.spec.hostnames ?? []).join(", ")}`);
  return { parentRef, accepted: condition("Accepted", true, "Accepted"), attachments, gateway: plan.key };
}

function isNamed({ name, port }: PlannedListener["spec"], ref: ParentRef): boolean {
  return (ref.sectionName === undefined || ref.sectionName === name) && (ref.port === undefined || ref.port === port);
}

function describeRef({ sectionName, port }: ParentRef): string {
  const section = sectionName === undefined ? "" : ` named ${JSON.stringify(sectionName)}`;
  return `${section}${port === undefined ? "" : ` of port ${port}`}`;
}

function allows(listener: PlannedListener, { kind, metadata }: AnyRoute, { namespaceLabels }: Parents): boolean {
  const policy = listener.spec.allowedRoutes?.namespaces ?? { from: "Same" as const };
  const theirs = metadata.namespace ?? "";
  return (
    listener.kinds.includes(kind) &&
    namespaceAllowed({ from: "Same", ...policy }, listener.owner.namespace, theirs, namespaceLabels(theirs))
  );
}

/** A route without hosts has the listener's; what is on both sides is what is left. */
function effectiveHosts(route: AnyRoute, { host }: PlannedListener): readonly string[] {
  if (route.kind === "TCPRoute" || route.kind === "UDPRoute") return ["*"];
  const { hostnames = [] } = route.spec;
  if (hostnames.length === 0) return [host];
  const found = new Set<string>();
  for (const text of hostnames) {
    const pattern = hostPattern(text);
    const both = pattern === undefined ? undefined : intersectPatterns(host, pattern);
    if (both !== undefined) found.add(both);
  }
  return [...found];
}
