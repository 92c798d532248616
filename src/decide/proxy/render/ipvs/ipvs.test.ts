import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../../../api/types.ts";
import { parseIp } from "../../../../lib/ip.ts";
import { ipvsDeviations } from "../../diff/ipvs-answers.ts";
import { sourceClassifier } from "../../node.ts";
import type { PlannedService, ServicePlan } from "../../plan.ts";
import { planService } from "../../service.ts";
import { trace, type Packet, type Trace } from "../../trace.ts";
import { clients, node, serviceState, type ServiceState } from "../arbitrary.cases.ts";
import { golden, goldenInputs, goldenServices } from "../goldens.cases.ts";
import type { RulesTrace } from "../nftables-trace.ts";
import { IpvsModel, type KernelState } from "./model.ts";
import type { IpvsOperation } from "./operations.ts";
import { contributionOptions, renderIpvs } from "./render.ts";
import type { SetName } from "./sets.ts";
import { ipvsSchedulers, isIpvsScheduler, realKey, serverKey, type IpvsScheduler, type IpvsState, type VirtualServer } from "./state.ts";
import { ipvsadmLines, ipvsText } from "./text.ts";
import { traceIpvs } from "./trace.ts";

const families = [4, 6] as const;
const plan = ({ service, slices }: ServiceState) => planService(service, slices, node);
const render = (services: readonly ServicePlan[], family: 4 | 6 = 4, scheduler: IpvsScheduler = "rr") =>
  renderIpvs(services, { node, family, scheduler });

describe("goldens", () => {
  // test/vm has the kernel and its programs confirm them.
  test.each(goldenInputs)("%s", (input) => {
    const services = goldenServices(input);
    const text = families.map((family) => ipvsText(render(services, family))).join("\n");
    expect(text).toBe(golden(join(import.meta.dirname, `goldens/${input}.ipvs`), text));
  });
});

test("each scheduler is rendered, and others are none", () => {
  const service = { metadata: { namespace: "shop", name: "web" }, spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }] } } as Service;
  for (const scheduler of Object.keys(ipvsSchedulers) as IpvsScheduler[]) {
    const flags = scheduler === "mh" ? " -b mh-port" : "";
    expect(ipvsadmLines(render([planService(service, [], node)], 4, scheduler).virtualServers)).toEqual([
      `-A -t 10.96.0.1:80 -s ${scheduler}${flags}`,
    ]);
  }
  expect(["random", "toString", ""].filter(isIpvsScheduler)).toEqual([]);
});

/** Who is asked: each client at each address of its family, and at addresses and ports that nobody has. */
function packetsFor(services: readonly ServicePlan[]): Packet[] {
  const served = services.flatMap((service) =>
    service.kind === "service" ? service.ports.flatMap(({ protocol, addresses }) => addresses.map((one) => ({ ...one, protocol }))) : [],
  );
  return served.flatMap(({ address, port, protocol }) =>
    clients.filter((from) => from.includes(":") === address.includes(":")).map((from) => ({ from, to: address, port, protocol })),
  );
}

function summary(traced: Trace | RulesTrace): string {
  if (traced.kind !== "dnat") return traced.kind;
  const text = (one: { ip: string; port: number }, masquerade: boolean) => `${one.ip} ${one.port} ${masquerade}`;
  const each = traced.endpoints.map((one) => ("endpoint" in one ? text(one.endpoint, one.masquerade) : text(one, one.masquerade)));
  return each.sort().join(", ");
}

/** The codes by which ipvs mode may answer otherwise than the plan. */
function excuses(service: PlannedService, packet: Packet): readonly string[] {
  const source = sourceClassifier(node)(parseIp(packet.from)!, packet.from);
  return service.ports
    .filter(({ protocol }) => protocol === packet.protocol)
    .flatMap((port) =>
      port.addresses
        .filter(({ address, port: number }) => address === packet.to && number === packet.port)
        .flatMap((address) => ipvsDeviations(port, address, { podsKnown: true }))
        .flatMap(({ code, clients: concerned }) => (concerned.includes(source) ? [code] : [])),
    );
}

test("each packet has the plan's verdict, or a named reason why not", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }).chain(serviceState), (one) => {
      const planned = plan(one);
      if (planned.kind !== "service") return;
      const states = { 4: render([planned], 4), 6: render([planned], 6) };
      for (const packet of packetsFor([planned])) {
        const want = trace({ kind: "plan", node, services: [planned] }, packet);
        // A pod reaches itself only through its own node.
        if (want.kind === "dnat" && want.endpoints.some(({ endpoint }) => endpoint.ip === packet.from && !endpoint.local)) continue;
        const got = traceIpvs(states[packet.to.includes(":") ? 6 : 4], node, packet);
        const why = summary(got) === summary(want) ? ["equal"] : excuses(planned, packet);
        expect({ packet, got: summary(got), want: summary(want), why: why.length > 0 }).toMatchObject({ why: true });
        for (const code of why) seen.set(code, (seen.get(code) ?? 0) + 1);
      }
    }),
    { numRuns: 200 },
  );
  expect(seen.get("equal")).toBeGreaterThan(1000);
});

test("each reason, by an example", () => {
  const service = (spec: object, status?: object) =>
    ({ metadata: { namespace: "shop", name: "web" }, spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }], ...spec }, status }) as Service;
  const slice = (...names: readonly string[]): EndpointSlice => ({
    metadata: { namespace: "shop", name: "web-1" },
    addressType: "IPv4",
    endpoints: names.map((nodeName, i) => ({ addresses: [`10.244.1.${i + 1}`], nodeName })),
    ports: [{ port: 8080, protocol: "TCP" }],
  });
  const external = { externalIPs: ["192.0.2.7"], externalTrafficPolicy: "Local" };
  const balanced = { type: "LoadBalancer", loadBalancerSourceRanges: ["203.0.113.0/24"] };
  const ask = (one: Service, slices: readonly EndpointSlice[], from: string, to: string) => {
    const planned = planService(one, slices, node) as PlannedService;
    const packet: Packet = { from, to, port: 80, protocol: "TCP" };
    const want = summary(trace({ kind: "plan", node, services: [planned] }, packet));
    return [want, summary(traceIpvs(render([planned]), node, packet)), ...excuses(planned, packet)];
  };
  const [one, two] = ["10.244.1.1 8080 false", "10.244.1.2 8080 false"];
  expect(ask(service(external), [slice("node-1", "node-2")], "10.244.9.9", "192.0.2.7")).toEqual([
    `${one}, ${two}`,
    one,
    "LocalPolicyForAll",
  ]);
  expect(ask(service(external), [slice("node-2")], "203.0.113.9", "192.0.2.7")).toEqual(["drop", one, "LocalPolicyFallsBack"]);
  expect(ask(service({ internalTrafficPolicy: "Local" }), [slice("node-2")], "10.244.9.9", "10.96.0.1")).toEqual([
    "drop",
    "reject",
    "LocalPolicyRefuses",
  ]);
  expect(ask(service(external), [slice("node-1")], "10.250.0.1", "192.0.2.7")).toEqual([
    "10.244.1.1 8080 true",
    one,
    "LocalPolicyForAll",
    "NodeKeepsAddress",
  ]);
  expect(ask(service(balanced, { loadBalancer: { ingress: [{ ip: "198.51.100.1" }] } }), [], "192.0.2.99", "198.51.100.1")).toEqual([
    "reject",
    "drop",
    "SourceRangesFirst",
  ]);
});

test("a port that a Service has not is refused at its address, and nothing is said of an address that nobody has", () => {
  const service = { metadata: { namespace: "shop", name: "web" }, spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }] } } as Service;
  const state = render([planService(service, [], node)]);
  const ask = (to: string, port: number) => traceIpvs(state, node, { from: "10.244.9.9", to, port, protocol: "TCP" }).kind;
  expect([ask("10.96.0.1", 80), ask("10.96.0.1", 22), ask("10.96.0.2", 80), ask("10.250.0.1", 22)]).toEqual([
    "reject",
    "reject",
    "none",
    "none",
  ]);
});

test("where pods are not known, only the node's own connections to a cluster IP are masqueraded", () => {
  const unknown = { ...node, clusterCIDRs: [] };
  const service = { metadata: { namespace: "shop", name: "web" }, spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }] } } as Service;
  const slice: EndpointSlice = {
    metadata: { namespace: "shop", name: "web-1" },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.244.1.1"] }],
    ports: [{ port: 8080, protocol: "TCP" }],
  };
  const state = renderIpvs([planService(service, [slice], unknown)], { node: unknown, family: 4 });
  const ask = (from: string) => summary(traceIpvs(state, unknown, { from, to: "10.96.0.1", port: 80, protocol: "TCP" }));
  expect(ask("10.244.9.9")).toBe("10.244.1.1 8080 false");
  expect(ask("10.250.0.1")).toBe("10.244.1.1 8080 true");
});

/** The kernel, as far as operations reach it. */
class Kernel {
  readonly servers = new Map<string, { server: VirtualServer; reals: Map<string, number> }>();
  readonly addresses = new Set<string>();
  readonly entries = new Set<string>();

  do(operations: readonly IpvsOperation[]): void {
    for (const operation of operations) this.#one(operation);
  }

  #one(operation: IpvsOperation): void {
    const reals = () => this.servers.get(serverKey((operation as { server: VirtualServer }).server))!.reals;
    switch (operation.kind) {
      case "addEntry":
        return void this.entries.add(`${operation.set} ${operation.entry}`);
      case "deleteEntry":
        return void expect(this.entries.delete(`${operation.set} ${operation.entry}`)).toBe(true);
      case "bind":
        return void this.addresses.add(operation.address);
      case "unbind":
        return void expect(this.addresses.delete(operation.address)).toBe(true);
      case "addServer":
        return void this.servers.set(serverKey(operation.server), { server: operation.server, reals: new Map() });
      case "setServer":
        return void (this.servers.get(serverKey(operation.server))!.server = operation.server);
      case "deleteServer":
        return void expect(this.servers.delete(serverKey(operation.server))).toBe(true);
      case "addReal":
      case "setReal":
        return void reals().set(realKey(operation.real), operation.real.weight);
      case "drainReal":
        return void reals().delete(realKey(operation.real));
    }
  }

  text(): unknown {
    const servers = [...this.servers.values()].map(({ server, reals }) => [
      serverKey(server),
      server.scheduler,
      server.persistenceSeconds,
      [...reals].sort().join(),
    ]);
    return { servers: servers.sort(), addresses: [...this.addresses].sort(), entries: [...this.entries].sort() };
  }

  state(): KernelState {
    const sets = new Map<SetName, string[]>();
    for (const one of this.entries) {
      const [set, entry] = one.split(" ") as [SetName, string];
      sets.set(set, [...(sets.get(set) ?? []), entry]);
    }
    const virtualServers = [...this.servers.values()].map(({ server, reals }) => ({
      ...server,
      realServers: [...reals].map(([key, weight]) => {
        const at = key.lastIndexOf(":");
        return { ip: key.slice(0, at).replace(/[[\]]/g, ""), port: Number(key.slice(at + 1)), weight };
      }),
    }));
    return { virtualServers, addresses: [...this.addresses], sets };
  }
}

function kernelOf({ virtualServers, addresses, sets }: IpvsState): unknown {
  const kernel = new Kernel();
  kernel.do(
    virtualServers.flatMap((server) => [
      { kind: "addServer", server } as const,
      ...server.realServers.map((real) => ({ kind: "addReal", server, real }) as const),
    ]),
  );
  kernel.do(addresses.map((address) => ({ kind: "bind", address })));
  kernel.do([...sets].flatMap(([set, entries]) => entries.map((entry) => ({ kind: "addEntry", set, entry }) as const)));
  return kernel.text();
}

const history = fc.array(
  fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.boolean())
    .chain(([n, gone]) => fc.tuple(fc.constant(n), gone ? fc.constant(undefined) : serviceState(n))),
  { minLength: 1, maxLength: 8 },
);

test("operations of changes lead to what a fresh render says; the same state needs none; adopting it needs none", () => {
  fc.assert(
    fc.property(history, fc.constantFrom(...families), (changes, family) => {
      const model = new IpvsModel(contributionOptions({ node, family }));
      const kernel = new Kernel();
      const plans = new Map<string, ServicePlan>();
      for (const [n, state] of changes) {
        const key = `default/service-${n}`;
        const next = state === undefined ? undefined : plan(state);
        if (next === undefined) plans.delete(key);
        else plans.set(key, next);
        kernel.do(model.change(key, next));
        expect(model.change(key, next)).toEqual([]);
      }
      const fresh = render(
        [...plans].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one),
        family,
      );
      expect(kernel.text()).toEqual(kernelOf(fresh));
      expect(model.adopt(kernel.state())).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

test("whatever an earlier proxy has left, adopting leads to what is wanted", () => {
  fc.assert(
    fc.property(history, serviceState(2), (changes, last) => {
      const earlier = new IpvsModel(contributionOptions({ node, family: 4, scheduler: "lc" }));
      const kernel = new Kernel();
      for (const [n, state] of changes) kernel.do(earlier.change(`default/service-${n}`, state === undefined ? undefined : plan(state)));
      const model = new IpvsModel(contributionOptions({ node, family: 4 }));
      model.change("default/service-2", plan(last));
      kernel.do(model.adopt(kernel.state()));
      expect(kernel.text()).toEqual(kernelOf(render([plan(last)])));
    }),
    { numRuns: 100 },
  );
});

test("a real server that drains gets its weight back when its endpoint returns, and is not drained twice", () => {
  const model = new IpvsModel(contributionOptions({ node, family: 4 }));
  const service = { metadata: { namespace: "shop", name: "web" }, spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }] } } as Service;
  const slice = (...hosts: readonly number[]): EndpointSlice => ({
    metadata: { namespace: "shop", name: "web-1" },
    addressType: "IPv4",
    endpoints: hosts.map((host) => ({ addresses: [`10.244.1.${host}`] })),
    ports: [{ port: 8080, protocol: "TCP" }],
  });
  model.change("shop/web", planService(service, [slice(1)], node));
  const server = { address: "10.96.0.1", port: 80, protocol: "TCP", scheduler: "rr" } as const;
  const have = (...reals: readonly (readonly [number, number])[]): KernelState => ({
    virtualServers: [{ ...server, realServers: reals.map(([host, weight]) => ({ ip: `10.244.1.${host}`, port: 8080, weight })) }],
    addresses: ["10.96.0.1"],
    sets: model.sets,
  });
  expect(model.adopt(have([1, 0], [2, 0])).map(({ kind }) => kind)).toEqual(["setReal"]);
  expect(model.adopt(have([1, 1], [2, 1])).map(({ kind }) => kind)).toEqual(["drainReal"]);
});
