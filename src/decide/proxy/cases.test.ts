/**
 * The plan's own trace, and that of the rules rendered from it, against kube-proxy's packet flows, where the acceptance cases are there (a clone has none: the test
 * then skips itself and says so).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../api/types.ts";
import { joinHostPort, parseIp } from "../../lib/ip.ts";
import { ipvsDeviations } from "./diff/ipvs-answers.ts";
import { renderIptables } from "./render/iptables/render.ts";
import { traceIptables } from "./render/iptables/trace.ts";
import { renderIpvs } from "./render/ipvs/render.ts";
import { traceIpvs } from "./render/ipvs/trace.ts";
import { renderNftables, traceNftables, type RulesTrace } from "./render/nftables-trace.ts";
import { categorizeEndpoints } from "./categorize.ts";
import { selectNodePortAddresses, sourceClassifier } from "./node.ts";
import type { PlanEndpoint, PlanNode, PlanOptions, Protocol, ProxyPlan } from "./plan.ts";
import { planServices } from "./services.ts";
import { hintsCount } from "./service-info.ts";
import { trace, type Packet, type Trace } from "./trace.ts";

const file = join(import.meta.dirname, "../../../../shared/cases/kubeproxy-cases.json");
const present = existsSync(file);
if (!present) console.log("decide/proxy: the acceptance cases (shared/cases/kubeproxy-cases.json) are not here: skipped");

interface Flow {
  readonly name: string;
  readonly sourceIP: string;
  readonly destIP: string;
  readonly destPort: number;
  readonly protocol: Protocol;
  readonly output: string;
  readonly masq: boolean;
  readonly modes?: readonly string[];
}
interface Config {
  readonly ipFamily: "IPv4" | "IPv6";
  readonly nodeName: string;
  readonly nodeIP: string;
  readonly nodeAddresses: Readonly<Record<string, readonly string[]>>;
  readonly localTrafficDetector: { readonly clusterCIDR: string } | null;
  readonly serviceCIDR: string;
  readonly nodePortAddresses: readonly string[];
  readonly masqueradeAll: boolean;
  readonly localhostNodePorts?: boolean;
  readonly featureGates?: Readonly<Record<string, boolean>>;
}
interface Step {
  readonly services?: readonly Service[];
  readonly endpointSlices?: readonly EndpointSlice[];
  readonly flows?: readonly Flow[];
}
interface FlowCase extends Step {
  readonly id: string;
  readonly modes: readonly string[];
  readonly config: Config;
  readonly services: readonly Service[];
  readonly then?: readonly Step[];
}
interface CategoryCase {
  readonly name: string;
  readonly gates: Readonly<Record<string, boolean>>;
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly service: { hintsAnnotation?: string; internalPolicyLocal?: boolean; externalPolicyLocal?: boolean; nodePort?: number };
  readonly endpoints: readonly {
    endpoint: string;
    ready: boolean;
    isLocal: boolean;
    serving?: boolean;
    terminating?: boolean;
    zoneHints?: readonly string[];
  }[];
  readonly clusterEndpoints: readonly string[] | null;
  readonly localEndpoints: readonly string[] | null;
  readonly allEndpoints: readonly string[];
  readonly hasAnyEndpoints: boolean;
}
interface Cases {
  readonly flowCases: readonly FlowCase[];
  readonly categorizeEndpoints: readonly CategoryCase[];
  readonly loadBalancerIPMode: readonly (FlowCase & {
    readonly expect: { readonly loadBalancerIP: string; readonly handledByProxy: boolean };
  })[];
}

const cases = present ? (JSON.parse(readFileSync(file, "utf8")) as Cases) : undefined;

function nodeOf(config: Config, mode: string): PlanNode {
  const addresses = Object.values(config.nodeAddresses).flatMap((list) => list.map((text) => text.split("/")[0] as string));
  const family = config.ipFamily === "IPv6" ? 6 : 4;
  const chosen = selectNodePortAddresses({
    cidrs: config.nodePortAddresses,
    addresses,
    primary: [config.nodeIP],
    whenEmpty: mode === "iptables" ? "all" : "primary",
    localhost: config.localhostNodePorts ?? false,
  });
  return {
    name: config.nodeName,
    addresses,
    nodePortAddresses: chosen.filter((text) => parseIp(text)?.family === family),
    clusterCIDRs: config.localTrafficDetector === null ? [] : [config.localTrafficDetector.clusterCIDR],
  };
}

const optionsOf = (config: Config): PlanOptions => ({
  masqueradeAll: config.masqueradeAll,
  loadBalancerIPMode: config.featureGates?.["LoadBalancerIPMode"] !== false,
});

function answer(traced: Trace): { output: string; masq: boolean } {
  if (traced.kind !== "dnat") return { output: traced.kind === "none" ? "" : traced.kind.toUpperCase(), masq: false };
  return {
    output: traced.endpoints.map(({ endpoint }) => joinHostPort(endpoint.ip, endpoint.port)).join(", "),
    masq: traced.endpoints.every(({ masquerade }) => masquerade),
  };
}

function rulesAnswer(traced: RulesTrace): { output: string; masq: boolean } {
  if (traced.kind !== "dnat") return { output: traced.kind === "none" ? "" : traced.kind.toUpperCase(), masq: false };
  return {
    output: traced.endpoints.map(({ ip, port }) => joinHostPort(ip, port)).join(", "),
    masq: traced.endpoints.every(({ masquerade }) => masquerade),
  };
}

/** Every flow of a case in one mode: how many agree, and the misses in words. */
function run(flowCase: FlowCase, mode: string): { passed: number; misses: string[] } {
  const misses: string[] = [];
  let passed = 0;
  const node = nodeOf(flowCase.config, mode);
  const steps: readonly Step[] = [
    flowCase,
    ...(flowCase.then ?? []).map((step) => ({ services: flowCase.services, endpointSlices: [], ...step })),
  ];
  for (const step of steps) {
    const plan = planServices(step.services ?? flowCase.services, step.endpointSlices ?? [], node, optionsOf(flowCase.config));
    const serviceCIDRs = mode === "nftables" ? [flowCase.config.serviceCIDR] : [];
    const rules = renderNftables(plan.services, { node, serviceCIDRs });
    const iptables = renderIptables(plan.services, {
      node,
      family: flowCase.config.ipFamily === "IPv6" ? 6 : 4,
      nodePortsEverywhere: flowCase.config.nodePortAddresses.length === 0,
      localhostNodePorts: flowCase.config.localhostNodePorts ?? false,
    });
    for (const flow of step.flows ?? []) {
      if (!(flow.modes ?? flowCase.modes).includes(mode)) continue;
      const packet = { from: flow.sourceIP, to: flow.destIP, port: flow.destPort, protocol: flow.protocol };
      const answers = {
        plan: answer(trace(plan, packet, { serviceCIDRs })),
        rules: rulesAnswer(traceNftables(rules, node, packet)),
        ...(mode === "iptables" ? { iptables: rulesAnswer(traceIptables(iptables, node, packet)) } : {}),
      };
      for (const [by, got] of Object.entries(answers)) {
        // Rules for other ports of a cluster IP are nftables mode's own; iptables mode lets such packets pass.
        if (by === "rules" && mode !== "nftables" && flow.output === "") continue;
        if (agrees(got, flow)) passed += 1;
        else
          misses.push(
            `${flowCase.id} (${mode}, ${by}): ${flow.name}: want "${flow.output}" masq=${flow.masq}, got "${got.output}" masq=${got.masq}`,
          );
      }
    }
  }
  return { passed, misses };
}

/** What the plan's answer is called that ipvs mode gives in its own way; what it refuses that iptables mode lets pass. */
function ipvsExcuses(plan: ProxyPlan, packet: Packet): readonly string[] {
  const ip = parseIp(packet.from);
  const source = ip === undefined ? "external" : sourceClassifier(plan.node)(ip, packet.from);
  const ports = plan.services.flatMap((service) => (service.kind === "service" ? service.ports : []));
  const codes = ports
    .filter(({ protocol }) => protocol === packet.protocol)
    .flatMap((port) =>
      port.addresses
        .filter(({ address, port: number }) => address === packet.to && number === packet.port)
        .flatMap((address) => ipvsDeviations(port, address, { podsKnown: (plan.node.clusterCIDRs ?? []).length > 0 }))
        .flatMap(({ code, clients }) => (clients.includes(source) ? [code] : [])),
    );
  const owned = ports.some(({ addresses }) => addresses.some(({ kind, address }) => kind !== "nodePort" && address === packet.to));
  return codes.length === 0 && owned ? ["OtherPortRefused"] : codes;
}

function runIpvs(flowCase: FlowCase, misses: string[]): ReadonlyMap<string, number> {
  const codes = new Map<string, number>();
  const node = nodeOf(flowCase.config, "iptables");
  const steps: readonly Step[] = [
    flowCase,
    ...(flowCase.then ?? []).map((step) => ({ services: flowCase.services, endpointSlices: [], ...step })),
  ];
  for (const step of steps) {
    const options = optionsOf(flowCase.config);
    const plan = planServices(step.services ?? flowCase.services, step.endpointSlices ?? [], node, options);
    const masqueradeAll = options.masqueradeAll === true;
    const state = renderIpvs(plan.services, { node, family: flowCase.config.ipFamily === "IPv6" ? 6 : 4, masqueradeAll });
    for (const flow of step.flows ?? []) {
      // Where the modes differ, iptables' is the answer of a kernel without nftables mode's guards.
      if (!(flow.modes ?? flowCase.modes).includes("iptables")) continue;
      const packet = { from: flow.sourceIP, to: flow.destIP, port: flow.destPort, protocol: flow.protocol };
      const got = rulesAnswer(traceIpvs(state, node, packet));
      const why = agrees(got, flow) ? ["equal"] : ipvsExcuses(plan, packet);
      for (const code of why) codes.set(code, (codes.get(code) ?? 0) + 1);
      if (why.length === 0)
        misses.push(`${flowCase.id}: ${flow.name}: want "${flow.output}" masq=${flow.masq}, got "${got.output}" masq=${got.masq}`);
    }
  }
  return codes;
}

function agrees(
  got: { readonly output: string; readonly masq: boolean },
  want: { readonly output: string; readonly masq: boolean },
): boolean {
  return got.output.split(", ").sort().join() === want.output.split(", ").sort().join() && got.masq === want.masq;
}

describe.runIf(present)("kube-proxy's cases", () => {
  test("packet flows, in both modes", () => {
    const results = (cases?.flowCases ?? []).flatMap((flowCase) => flowCase.modes.map((mode) => run(flowCase, mode)));
    const passed = results.reduce((sum, result) => sum + result.passed, 0);
    const misses = results.flatMap((result) => result.misses);
    console.log(`decide/proxy: ${passed} of ${passed + misses.length} flows answered as kube-proxy does`);
    expect(misses).toEqual([]);
    expect(passed).toBeGreaterThan(400);
  });

  test("packet flows by ipvs mode, whose own answers are named", () => {
    const codes = new Map<string, number>();
    const misses: string[] = [];
    for (const flowCase of cases?.flowCases ?? [])
      for (const [code, count] of runIpvs(flowCase, misses)) codes.set(code, (codes.get(code) ?? 0) + count);
    console.log(`decide/proxy: ipvs: ${[...codes].map(([code, count]) => `${code} ${count}`).join(", ")}`);
    expect(misses).toEqual([]);
    expect(codes.get("equal")).toBeGreaterThan(150);
  });

  test("categorizeEndpoints", () => {
    const misses = (cases?.categorizeEndpoints ?? []).flatMap((one) => {
      const got = categorize(one);
      const want = JSON.stringify([one.clusterEndpoints, one.localEndpoints, one.allEndpoints, one.hasAnyEndpoints]);
      return got === want ? [] : [`${one.name}: want ${want}, got ${got}`];
    });
    console.log(
      `decide/proxy: ${(cases?.categorizeEndpoints.length ?? 0) - misses.length} of ${cases?.categorizeEndpoints.length} categorize cases`,
    );
    expect(misses).toEqual([]);
  });

  test("ipMode of a load balancer's address", () => {
    for (const one of cases?.loadBalancerIPMode ?? []) {
      const plan = planServices(one.services, one.endpointSlices ?? [], nodeOf(one.config, "nftables"), optionsOf(one.config));
      const traced = trace(plan, { from: "203.0.113.2", to: one.expect.loadBalancerIP, port: 80, protocol: "TCP" });
      expect({ id: one.id, handled: traced.kind === "dnat" }).toEqual({ id: one.id, handled: one.expect.handledByProxy });
    }
  });
});

function categorize(one: CategoryCase): string {
  const { service } = one;
  const endpoints = one.endpoints.map((endpoint): PlanEndpoint => {
    const [ip = "", port] = endpoint.endpoint.split(":");
    const { ready, isLocal, serving = ready, terminating = false, zoneHints } = endpoint;
    return {
      kind: "endpoint",
      ip,
      port: Number(port),
      local: isLocal,
      ready,
      serving,
      terminating,
      ...(zoneHints === undefined ? {} : { zoneHints }),
    };
  });
  const annotations = service.hintsAnnotation === undefined ? {} : { "service.kubernetes.io/topology-mode": service.hintsAnnotation };
  const result = categorizeEndpoints(
    endpoints,
    {
      internalLocal: service.internalPolicyLocal === true,
      externalLocal: service.externalPolicyLocal === true,
      externallyAccessible: (service.nodePort ?? 0) !== 0,
      hints: hintsCount({ metadata: { annotations } }),
      terminatingEndpoints: one.gates["ProxyTerminatingEndpoints"] !== false,
    },
    { name: "test-node", zone: one.nodeLabels["topology.kubernetes.io/zone"] ?? "" },
  );
  const names = (list: readonly PlanEndpoint[] | undefined) => list?.map(({ ip, port }) => `${ip}:${port}`) ?? null;
  return JSON.stringify([names(result.cluster), names(result.local), names(result.reachable), result.hasAny]);
}
