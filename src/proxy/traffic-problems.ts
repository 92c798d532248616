/** What a Service asks for by annotations and does not get in this mode: told, never silently something else. */
import type { ServicePlan } from "../decide/proxy/index.ts";
import type { AddressProblem } from "./backends/backend.ts";

export function trafficProblems(plan: ServicePlan | undefined, mode: string): readonly AddressProblem[] {
  if (plan?.kind !== "service") return [];
  for (const { traffic, protocol, addresses, port } of plan.ports) {
    if (traffic === undefined) continue;
    const where = { protocol, address: addresses[0]?.address ?? "", port };
    const messages = [...traffic.misunderstood.map((text) => `Ignored: ${text}.`), ...notCarried(mode, traffic.proxyProtocol, protocol)];
    return messages.map((message) => ({ ...where, reason: "TrafficNotSupported", severity: "warning", retry: false, message }));
  }
  return [];
}

function notCarried(mode: string, proxyProtocol: 1 | 2 | undefined, protocol: string): readonly string[] {
  if (mode !== "userspace")
    return [`The annotations fairlead.dev/load-balancing and fairlead.dev/proxy-protocol work in proxy mode userspace; this is ${mode}.`];
  return proxyProtocol === undefined || protocol === "TCP" ? [] : [`fairlead.dev/proxy-protocol works with TCP; this is ${protocol}.`];
}
