/** What a Service asks for by annotations and does not get in this mode: told, never silently something else. */
import { spokenHttp, type PlannedService, type ServicePlan, type Traffic } from "../decide/proxy/index.ts";
import type { AddressProblem } from "./backends/backend.ts";

export interface CarriedTraffic {
  readonly mode: string;
  /** Whether there is an engine that reads HTTP. */
  readonly balancesRequests: boolean;
}

export function trafficProblems(plan: ServicePlan | undefined, carried: CarriedTraffic): readonly AddressProblem[] {
  if (plan?.kind !== "service") return [];
  for (const { traffic, protocol, addresses, port } of plan.ports) {
    if (traffic === undefined) continue;
    const where = { protocol, address: addresses[0]?.address ?? "", port };
    const messages = [...traffic.misunderstood.map((text) => `Ignored: ${text}.`), ...notCarried(plan, traffic, protocol, carried)];
    return messages.map((message) => ({ ...where, reason: "TrafficNotSupported", severity: "warning", retry: false, message }));
  }
  return [];
}

function notCarried(
  plan: PlannedService,
  { proxyProtocol, perRequest }: Traffic,
  protocol: string,
  { mode, balancesRequests }: CarriedTraffic,
): readonly string[] {
  if (mode !== "userspace")
    return [
      `The annotations fairlead.dev/load-balancing, fairlead.dev/proxy-protocol and fairlead.dev/per-request work in proxy mode userspace; this is ${mode}.`,
    ];
  return [
    ...(proxyProtocol === undefined || protocol === "TCP" ? [] : [`fairlead.dev/proxy-protocol works with TCP; this is ${protocol}.`]),
    ...(perRequest === undefined ? [] : requestsNotBalanced(plan, proxyProtocol, balancesRequests)),
  ];
}

function requestsNotBalanced({ ports }: PlannedService, proxyProtocol: 1 | 2 | undefined, balancesRequests: boolean): readonly string[] {
  if (!balancesRequests) return ["fairlead.dev/per-request has no effect in this proxy: each connection goes to one endpoint."];
  if (!ports.some(({ protocol, appProtocol }) => protocol === "TCP" && spokenHttp(appProtocol) !== undefined))
    return ["fairlead.dev/per-request has no effect: no port has appProtocol http, kubernetes.io/ws or kubernetes.io/h2c."];
  if (proxyProtocol === undefined) return [];
  return [
    "fairlead.dev/proxy-protocol has no effect on ports whose requests are balanced, as clients share connections: X-Forwarded-For names them.",
  ];
}
