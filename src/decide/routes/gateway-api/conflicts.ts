/**
 * Listeners that are not distinct (Gateway API `GatewaySpec.listeners`): on one port, of protocols that cannot share it or with the same
 * host. A Gateway's own listeners then all step back; one of a ListenerSet steps back for those before it (GEP-1713).
 */
import { intersectPatterns } from "../host.ts";
import { condition } from "./conditions.ts";
import type { PlannedListener, Protocol } from "./listeners.ts";

/** HTTPS and TLS share a port: the server name in the ClientHello tells them apart. */
const families: Readonly<Record<Protocol, string>> = { HTTP: "http", HTTPS: "tls", TLS: "tls", TCP: "tcp", UDP: "udp" };

type Conflict = "ProtocolConflict" | "HostnameConflict";

/** `listeners`: of one Gateway, in the order of precedence: its own, then those of ListenerSets, the older first. */
export function markConflicts(listeners: readonly PlannedListener[]): readonly PlannedListener[] {
  const standing = new Map<string, PlannedListener[]>();
  const own = Map.groupBy(
    listeners.filter(({ owner }) => owner.kind === "Gateway"),
    slotOf,
  );
  const marked = listeners.map((listener) => {
    const slot = slotOf(listener);
    const before = standing.get(slot) ?? [];
    const others = listener.owner.kind === "Gateway" ? (own.get(slot) ?? []).filter((other) => other !== listener) : before;
    const found = firstConflict(listener, others);
    if (found !== undefined) return withConflict(listener, ...found);
    standing.set(slot, [...before, listener]);
    return listener;
  });
  return markOverlaps(marked);
}

/** Where only one listener may be: the port of its transport. */
function slotOf({ protocol, spec }: PlannedListener): string {
  return `${protocol === "UDP" ? "udp" : "tcp"} ${spec.port}`;
}

function firstConflict(listener: PlannedListener, others: readonly PlannedListener[]): readonly [Conflict, PlannedListener] | undefined {
  for (const other of others) {
    const conflict = conflictOf(listener, other);
    if (conflict !== undefined) return [conflict, other];
  }
  return undefined;
}

function conflictOf(a: PlannedListener, b: PlannedListener): Conflict | undefined {
  if (a.protocol === undefined || b.protocol === undefined) return undefined;
  const [family, other] = [families[a.protocol], families[b.protocol]];
  if (family !== other) return "ProtocolConflict";
  if (family === "tcp" || family === "udp") return "ProtocolConflict";
  return a.host === b.host ? (a.protocol === b.protocol ? "HostnameConflict" : "ProtocolConflict") : undefined;
}

function withConflict(listener: PlannedListener, reason: Conflict, { id, protocol, host }: PlannedListener): PlannedListener {
  const message = `listener ${id} has port ${listener.spec.port} for ${protocol}${host === "*" ? "" : ` of ${host}`}`;
  return {
    ...listener,
    conflicted: condition("Conflicted", true, reason, message),
    accepted: condition("Accepted", false, reason, message),
  };
}

/** Browsers that reuse a connection for another host may find themselves with the wrong listener: people should know. */
function markOverlaps(listeners: readonly PlannedListener[]): readonly PlannedListener[] {
  const secure = listeners.filter(({ protocol, accepted }) => protocol === "HTTPS" && accepted.status === "True");
  return listeners.map((listener) => {
    if (!secure.includes(listener)) return listener;
    const other = secure.find(
      (each) => each !== listener && each.spec.port === listener.spec.port && intersectPatterns(each.host, listener.host) !== undefined,
    );
    if (other === undefined) return listener;
    const message = `hosts of listener ${other.id} (${other.host}) are among those of this one, or the other way round`;
    return { ...listener, overlapping: condition("OverlappingTLSConfig", true, "OverlappingHostnames", message) };
  });
}
