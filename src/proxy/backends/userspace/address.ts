/** One virtual address of a Service port as the userspace backend holds it: who may come, and to which endpoints. */
import { joinHostPort, parseIp, type Ip } from "../../../lib/ip.ts";
import { Balancer } from "./balancer.ts";
import type { Clock } from "../../../lib/clock.ts";
import {
  endpointsOf,
  servicePortText,
  type EndpointSet,
  type PlanEndpoint,
  type PortPlan,
  type SourceClass,
  type Verdict,
  type VirtualAddress,
} from "../../../decide/proxy/index.ts";
import type { CarriedConnections } from "../backend.ts";
import { RequestPools, type RequestsContext } from "./requests.ts";
import type { ProxyPeer } from "../../../net/proxy-protocol.ts";
import { inRange } from "../../../decide/proxy/service-info.ts";

/** The round-robin state of a Service port, shared by its addresses: one Service, one sequence. */
export class PortState {
  readonly #clock: Clock;
  readonly requests: RequestPools;
  readonly #balancers = new Map<string, Balancer<PlanEndpoint>>();
  plan: PortPlan;

  constructor(plan: PortPlan, context: RequestsContext) {
    this.#clock = context.clock;
    this.requests = new RequestPools(context);
    this.plan = plan;
    this.update(plan);
  }

  get name(): string {
    return servicePortText(this.plan.servicePort);
  }

  update(plan: PortPlan): void {
    this.plan = plan;
    const affinityMs = plan.affinity.kind === "clientIP" ? plan.affinity.timeoutSeconds * 1000 : undefined;
    for (const family of [4, 6] as const) {
      const sets = endpointsOf(plan, family);
      for (const set of ["cluster", "local"] as const) this.balancer(family, set).update(sets[set], affinityMs, plan.traffic?.algorithm);
    }
    this.requests.update(plan);
  }

  traffic(): readonly CarriedConnections[] {
    const servicePort = this.name;
    return [...this.#balancers.values()].flatMap((balancer) =>
      balancer.carried().map(({ endpoint: { ip, port }, connections }) => ({ servicePort, endpoint: joinHostPort(ip, port), connections })),
    );
  }

  balancer(family: 4 | 6, set: EndpointSet): Balancer<PlanEndpoint> {
    const key = `${family}${set}`;
    let balancer = this.#balancers.get(key);
    if (balancer === undefined) this.#balancers.set(key, (balancer = new Balancer({ clock: this.#clock })));
    return balancer;
  }
}

export type Route =
  | {
      readonly kind: "to";
      readonly balancer: Balancer<PlanEndpoint>;
      readonly masquerade: boolean;
      /** The endpoint is told who connects, and to where. */
      readonly announce?: { readonly version: 1 | 2; readonly destination: ProxyPeer };
    }
  | { readonly kind: "refuse"; readonly reason: "NoEndpoints" | "NoLocalEndpoints" | "SourceNotAllowed" };

/** What the plan says for one client. `text`: its address in canonical form. */
export function routeOf(port: PortState, address: VirtualAddress, text: string, classify: (from: Ip, text: string) => SourceClass): Route {
  const ip = parseIp(text);
  const verdict: Verdict = address.verdicts[ip === undefined ? "external" : classify(ip, text)];
  if (verdict.kind !== "dnat") return { kind: "refuse", reason: verdict.reason };
  if (address.sourceRanges !== undefined && !address.sourceRanges.some((range) => inRange(range, text)))
    return { kind: "refuse", reason: "SourceNotAllowed" };
  const to = { kind: "to", balancer: port.balancer(address.family, verdict.to), masquerade: verdict.masquerade } as const;
  const version = port.plan.traffic?.proxyProtocol;
  return version === undefined ? to : { ...to, announce: { version, destination: { address: address.address, port: address.port } } };
}

/** Whether any client is carried: only then is there a listener. Without one the kernel refuses, at once and by itself. */
export function carries(address: VirtualAddress): boolean {
  const { pod, node, external } = address.verdicts;
  return pod.kind === "dnat" || node.kind === "dnat" || external.kind === "dnat";
}

/** A socket's remote address: IPv4 as such also where the socket is IPv6. */
export function clientText(remote: string | undefined): string {
  return remote === undefined ? "" : remote.startsWith("::ffff:") && remote.includes(".") ? remote.slice(7) : remote;
}
