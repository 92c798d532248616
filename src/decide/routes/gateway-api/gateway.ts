/** A Gateway with the ListenerSets that belong to it, by themselves: which listeners there are and what can be said without routes. */
import { compareText } from "../merge.ts";
import { condition } from "./conditions.ts";
import { markConflicts } from "./conflicts.ts";
import { certificateFault, planListener, type ListenerOwner, type NamedObject, type PlannedListener } from "./listeners.ts";
import { gatewayGroup, type Condition, type GatewayObject, type ListenerSet } from "./objects.ts";
import { namespaceAllowed, referent } from "./references.ts";
import type { GatewayWorld } from "./world.ts";

export interface GatewayPlan {
  readonly gateway: GatewayObject;
  /** `shop/edge` */
  readonly key: string;
  /** In the order of precedence, conflicts marked. */
  readonly listeners: readonly PlannedListener[];
  readonly sets: readonly SetPlan[];
  /** What it shows to endpoints over TLS. */
  readonly backendCertificate: NamedObject | undefined;
  readonly resolvedRefs: Condition;
  /** Undefined: nothing is against it but what its listeners say. */
  readonly refused: Condition | undefined;
}

export interface SetPlan {
  readonly set: ListenerSet;
  readonly key: string;
  /** Undefined: it belongs to the Gateway. */
  readonly refused: Condition | undefined;
}

/** Whether a Gateway's class is ours. */
export function isOurs({ spec }: GatewayObject, { gatewayClass, controllerName }: GatewayWorld): boolean {
  return gatewayClass(spec.gatewayClassName)?.spec.controllerName === controllerName;
}

/** `sets`: ListenerSets that name the Gateway. */
export function planGateway(gateway: GatewayObject, sets: readonly ListenerSet[], world: GatewayWorld): GatewayPlan {
  const refused = refusal(gateway);
  const judged = sets.toSorted(olderFirst).map((set) => planSet(set, gateway, refused, world));
  const taken = judged.filter((each) => each.refused === undefined);
  const listeners = [
    ...gateway.spec.listeners.map((spec) => planListener(ownerOf("Gateway", gateway), spec, gateway, world)),
    ...taken.flatMap(({ set }) => set.spec.listeners.map((spec) => planListener(ownerOf("ListenerSet", set), spec, gateway, world))),
  ];
  const marked = markConflicts(listeners);
  const backend = backendCertificate(gateway, world);
  const unresolved = marked.some(({ owner, resolvedRefs }) => owner.kind === "Gateway" && resolvedRefs.status === "False");
  return {
    gateway,
    key: keyOf(gateway),
    listeners: marked,
    sets: judged,
    backendCertificate: backend.certificate,
    resolvedRefs:
      backend.fault ??
      (unresolved
        ? condition("ResolvedRefs", false, "ListenersNotResolved", "a listener names what cannot be used")
        : condition("ResolvedRefs", true, "ResolvedRefs")),
    refused,
  };
}

type Named = Pick<GatewayObject, "metadata">;

export function keyOf({ metadata }: Named): string {
  return `${metadata.namespace ?? ""}/${metadata.name ?? ""}`;
}

function ownerOf(kind: ListenerOwner["kind"], { metadata }: GatewayObject | ListenerSet): ListenerOwner {
  return { kind, namespace: metadata.namespace ?? "", name: metadata.name ?? "", generation: metadata.generation ?? 0 };
}

export function olderFirst(a: Named, b: Named): number {
  return compareText(a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? "") || compareText(keyOf(a), keyOf(b));
}

/** What no listener can make good. */
function refusal({ spec }: GatewayObject): Condition | undefined {
  const parameters = spec.infrastructure?.parametersRef;
  if (parameters !== undefined) {
    const message = `parametersRef ${parameters.kind} ${JSON.stringify(parameters.name)}: this controller has no parameters`;
    return condition("Accepted", false, "InvalidParameters", message);
  }
  const odd = spec.addresses?.find(({ type = "IPAddress" }) => type !== "IPAddress");
  if (odd === undefined) return undefined;
  return condition("Accepted", false, "UnsupportedAddress", `addresses of type ${JSON.stringify(odd.type)} cannot be had, only IPAddress`);
}

function planSet(set: ListenerSet, gateway: GatewayObject, refused: Condition | undefined, world: GatewayWorld): SetPlan {
  const own = gateway.metadata.namespace ?? "";
  const theirs = set.metadata.namespace ?? "";
  const policy = gateway.spec.allowedListeners?.namespaces ?? {};
  const key = keyOf(set);
  if (!namespaceAllowed(policy, own, theirs, world.namespaceLabels(theirs))) {
    const message = `Gateway ${keyOf(gateway)} allows no ListenerSets of namespace ${theirs} (spec.allowedListeners)`;
    return { set, key, refused: condition("Accepted", false, "NotAllowed", message) };
  }
  if (refused !== undefined) return { set, key, refused: condition("Accepted", false, "ParentNotAccepted", refused.message) };
  return { set, key, refused: undefined };
}

function backendCertificate(
  gateway: GatewayObject,
  world: GatewayWorld,
): { certificate: NamedObject | undefined; fault: Condition | undefined } {
  const ref = gateway.spec.tls?.backend?.clientCertificateRef;
  if (ref === undefined) return { certificate: undefined, fault: undefined };
  const namespace = gateway.metadata.namespace ?? "";
  const to = referent(ref, "Secret", namespace);
  const wrong = certificateFault({ group: gatewayGroup, kind: "Gateway", namespace }, to, world);
  if (wrong === undefined) return { certificate: to, fault: undefined };
  const reason = wrong.reason === "RefNotPermitted" ? wrong.reason : "InvalidClientCertificateRef";
  return { certificate: undefined, fault: condition("ResolvedRefs", false, reason, wrong.message) };
}
