/**
 * Which tracked flows must be forgotten after a change. The kernel looks at the rules once per flow; a UDP client that keeps its
 * port would be sent to an endpoint that has left, or to none, for as long as it keeps sending. Upstream: pkg/proxy/conntrack/cleanup.go;
 * kubernetes #139628 tells what happens when the way from no endpoint to some is left out.
 */
import type { PortPlan, Protocol, ServicePlan } from "./plan.ts";
import { endpointsOf } from "./plan.ts";

interface Place {
  readonly ip: string;
  readonly port: number;
}

/** Flows that were sent to `destination` and are answered by `source`; absent: by whomever. */
export interface FlowMatch {
  readonly destination: Place;
  readonly source?: Place;
}

/** As `host/conntrack` has it: only these parts count. */
export interface TrackedFlow {
  readonly original: { readonly destination: Place };
  readonly reply: { readonly source: Place };
}

/** What a change makes stale: a few matches, whatever the number of flows. */
export function staleMatches(protocol: Protocol, old: ServicePlan | undefined, next: ServicePlan | undefined): readonly FlowMatch[] {
  if (!speaks(protocol, old) && !speaks(protocol, next)) return [];
  const [before, after] = [servedBy(protocol, old), servedBy(protocol, next)];
  const matches: FlowMatch[] = [];
  for (const [key, { destination, endpoints }] of before) {
    const now = after.get(key);
    if (now === undefined) {
      if (endpoints.size > 0) matches.push({ destination });
      continue;
    }
    for (const [text, source] of endpoints) if (!now.endpoints.has(text)) matches.push({ destination, source });
    if (endpoints.size === 0 && now.endpoints.size > 0) matches.push(unserved(destination));
  }
  for (const [key, { destination, endpoints }] of after) if (!before.has(key) && endpoints.size > 0) matches.push(unserved(destination));
  return matches;
}

/** Until now nobody served it: its flows lead to the address itself. */
function unserved(destination: Place): FlowMatch {
  return { destination, source: destination };
}

/**
 * Flows from before this process that lead where the plan does not: after a restart of the proxy what is right stays and what
 * went stale meanwhile goes.
 */
export function leftoverFlows<Flow extends TrackedFlow>(protocol: Protocol, plan: ServicePlan, flows: readonly Flow[]): readonly Flow[] {
  if (flows.length === 0 || !speaks(protocol, plan)) return [];
  const served = servedBy(protocol, plan);
  return flows.filter(({ original, reply }) => {
    const found = served.get(textOf(original.destination));
    return found !== undefined && found.endpoints.size > 0 && !found.endpoints.has(textOf(reply.source));
  });
}

const textOf = ({ ip, port }: Place) => `${ip} ${port}`;

interface Served {
  readonly destination: Place;
  /** All that any client may be sent to. A client whose own set has shrunk is told apart no further. */
  readonly endpoints: ReadonlyMap<string, Place>;
}

function speaks(protocol: Protocol, plan: ServicePlan | undefined): boolean {
  return plan?.kind === "service" && plan.ports.some((port) => port.protocol === protocol);
}

function servedBy(protocol: Protocol, plan: ServicePlan | undefined): ReadonlyMap<string, Served> {
  const served = new Map<string, Served>();
  for (const port of plan?.kind === "service" ? plan.ports : []) {
    if (port.protocol !== protocol) continue;
    for (const address of port.addresses) {
      const destination = { ip: address.address, port: address.port };
      served.set(textOf(destination), { destination, endpoints: reachable(port, address) });
    }
  }
  return served;
}

function reachable(port: PortPlan, { family, verdicts }: PortPlan["addresses"][number]): ReadonlyMap<string, Place> {
  const sets = new Set(Object.values(verdicts).flatMap((verdict) => (verdict.kind === "dnat" ? verdict.to : [])));
  const endpoints = endpointsOf(port, family);
  return new Map(
    [...sets].flatMap((set) => endpoints[set].map(({ ip, port: to }) => [textOf({ ip, port: to }), { ip, port: to }] as const)),
  );
}
