/**
 * Which tracked flows must be forgotten after a change. The kernel looks at the rules once per flow; a UDP client that keeps its
 * port would be sent to an endpoint that has left, or to none, for as long as it keeps sending. Upstream: pkg/proxy/conntrack/cleanup.go;
 * kubernetes #139628 tells what happens when the way from no endpoint to some is left out.
 */
import type { PortPlan, Protocol, ServicePlan } from "./plan.ts";
import { endpointsOf } from "./plan.ts";

/** As `host/conntrack` has it: only these parts count. */
export interface TrackedFlow {
  readonly original: { readonly destination: { readonly ip: string; readonly port: number } };
  readonly reply: { readonly source: { readonly ip: string; readonly port: number } };
}

/** Service address → endpoints to which its flows may lead; both as `ip port`. */
export type AllowedEndpoints = ReadonlyMap<string, ReadonlySet<string>>;

/** The addresses of a Service at which flows of the protocol may have become stale by the change; empty: nothing to look for. */
export function changedAddresses(protocol: Protocol, old: ServicePlan | undefined, next: ServicePlan | undefined): AllowedEndpoints {
  const before = allowedOf(protocol, old);
  const after = allowedOf(protocol, next);
  const changed = new Map<string, ReadonlySet<string>>();
  for (const [address, endpoints] of before) {
    const allowed = after.get(address) ?? new Set<string>();
    if (endpoints.size === 0 ? allowed.size > 0 : [...endpoints].some((endpoint) => !allowed.has(endpoint))) changed.set(address, allowed);
  }
  // An address that begins to be served: until now its packets went elsewhere.
  for (const [address, allowed] of after) if (!before.has(address) && allowed.size > 0) changed.set(address, allowed);
  return changed;
}

export function staleFlows<Flow extends TrackedFlow>(flows: readonly Flow[], changed: AllowedEndpoints): readonly Flow[] {
  return flows.filter(({ original, reply }) => {
    const allowed = changed.get(textOf(original.destination));
    return allowed !== undefined && !allowed.has(textOf(reply.source));
  });
}

const textOf = ({ ip, port }: { readonly ip: string; readonly port: number }) => `${ip} ${port}`;

function allowedOf(protocol: Protocol, plan: ServicePlan | undefined): Map<string, ReadonlySet<string>> {
  const allowed = new Map<string, ReadonlySet<string>>();
  for (const port of plan?.kind === "service" ? plan.ports : []) {
    if (port.protocol !== protocol) continue;
    for (const address of port.addresses) allowed.set(textOf({ ip: address.address, port: address.port }), endpointTexts(port, address));
  }
  return allowed;
}

/** All that any client may be sent to. A client whose own set has shrunk is told apart no further. */
function endpointTexts(port: PortPlan, { family, verdicts }: PortPlan["addresses"][number]): ReadonlySet<string> {
  const sets = Object.values(verdicts).flatMap((verdict) => (verdict.kind === "dnat" ? verdict.to : []));
  const endpoints = endpointsOf(port, family);
  return new Set([...new Set(sets)].flatMap((set) => endpoints[set].map(textOf)));
}
