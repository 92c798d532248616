import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import type { EndpointSlice, Service } from "../../../api/types.ts";
import { Ruleset, RulesetError } from "../../../lib/nftables/model.ts";
import { rulesetText } from "../../../lib/nftables/text.ts";
import type { PlannedService, ProxyPlan, ServicePlan } from "../plan.ts";
import { planService } from "../service.ts";
import { planServices } from "../services.ts";
import { trace, type Packet, type Trace } from "../trace.ts";
import { clients, node, serviceCIDRs, serviceState, type ServiceState } from "./arbitrary.cases.ts";
import { renderNftables, traceNftables, type RulesTrace } from "./nftables-trace.ts";
import { NftablesRenderer } from "./nftables.ts";
import { OperationBuilder } from "./operations.ts";
import { countElements, splitOperations } from "./split.ts";

const options = { node, serviceCIDRs };

describe("goldens", () => {
  const directory = join(import.meta.dirname, "goldens");
  const inputs = globSync("*.yaml", { cwd: directory }).sort();

  test("there are some", () => expect(inputs.length).toBeGreaterThan(3));

  // UPDATE_GOLDENS=1 writes them anew; test/root/nft.test.ts has the kernel and nft confirm them.
  test.each(inputs)("%s", (input) => {
    const objects = parseAllDocuments(readFileSync(join(directory, input), "utf8")).map((document) => document.toJS() as { kind: string });
    const plan = planServices(
      objects.filter(({ kind }) => kind === "Service") as unknown as Service[],
      objects.filter(({ kind }) => kind === "EndpointSlice") as unknown as EndpointSlice[],
      node,
    );
    const text = rulesetText(renderNftables(plan.services, options));
    const golden = join(directory, input.replace(/\.yaml$/, ".nft"));
    if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(golden, text);
    expect(text).toBe(readFileSync(golden, "utf8"));
  });
});

/** Both traces in one form. */
function summary(traced: Trace | RulesTrace): string {
  if (traced.kind !== "dnat") return traced.kind;
  return traced.endpoints
    .map((one) =>
      "endpoint" in one ? `${one.endpoint.ip} ${one.endpoint.port} ${one.masquerade}` : `${one.ip} ${one.port} ${one.masquerade}`,
    )
    .sort()
    .join(", ");
}

/** Every address of the plan from every client of its family, and ports and addresses that nobody has. */
function packetsFor(plans: readonly ServicePlan[]): Packet[] {
  const served = plans.flatMap((plan) =>
    plan.kind === "service" ? plan.ports.flatMap((port) => port.addresses.map((address) => ({ ...address, protocol: port.protocol }))) : [],
  );
  const unserved = [
    { address: "10.96.0.1", port: 81, protocol: "TCP" as const },
    { address: "10.96.200.1", port: 80, protocol: "TCP" as const },
    { address: "fd00:10:96::1", port: 5, protocol: "UDP" as const },
    { address: "10.250.0.1", port: 22, protocol: "TCP" as const },
  ];
  return [...served, ...unserved].flatMap(({ address, port, protocol }) =>
    clients.filter((from) => from.includes(":") === address.includes(":")).map((from) => ({ from, to: address, port, protocol })),
  );
}

/**
 * An address that two Services want goes to one of them, in the plan to the first by name, in the rules to who came first; and
 * hairpin rules are for endpoints of this node only, through which alone such a packet can come.
 */
function expectSame(ruleset: Ruleset, plans: readonly ServicePlan[], claimed: ReadonlySet<string>): void {
  const plan: ProxyPlan = { kind: "plan", node, services: plans };
  const misses: string[] = [];
  for (const packet of packetsFor(plans)) {
    if (claimed.has(`${packet.protocol} ${packet.to} ${packet.port}`)) continue;
    const want = trace(plan, packet, { serviceCIDRs });
    if (want.kind === "dnat" && want.endpoints.some(({ endpoint }) => endpoint.ip === packet.from && !endpoint.local)) continue;
    const [got, wanted] = [summary(traceNftables(ruleset, node, packet)), summary(want)];
    if (got !== wanted) misses.push(`${JSON.stringify(packet)}: ${got}, wanted ${wanted}`);
  }
  expect(misses).toEqual([]);
}

/** Addresses that more than one of the Services wants. */
function contested(plans: readonly ServicePlan[]): ReadonlySet<string> {
  const seen = new Map<string, string>();
  const twice = new Set<string>();
  for (const plan of plans.filter((one): one is PlannedService => one.kind === "service")) {
    for (const { protocol, addresses } of plan.ports) {
      for (const { address, port } of addresses) {
        const key = `${protocol} ${address} ${port}`;
        if ((seen.get(key) ?? plan.name) !== plan.name) twice.add(key);
        seen.set(key, plan.name);
      }
    }
  }
  return twice;
}

/** A cluster under change: for each step which Service, and what becomes of it; undefined: it goes. */
const history = fc.array(
  fc.integer({ min: 1, max: 4 }).chain((n) => fc.tuple(fc.constant(n), fc.option(serviceState(n), { nil: undefined }))),
  { minLength: 1, maxLength: 12 },
);

const planOf = (state: ServiceState | undefined) => (state === undefined ? undefined : planService(state.service, state.slices, node));

/** Renders the change and, as the proxy does, those that it calls for. */
function change(renderer: NftablesRenderer, plans: ReadonlyMap<string, ServicePlan>, key: string, ruleset: Ruleset): void {
  const queue = new Set([key]);
  for (let turn = 0; turn < 20; turn++) {
    const [next] = queue;
    if (next === undefined) return;
    queue.delete(next);
    const builder = new OperationBuilder();
    for (const other of renderer.change(next, plans.get(next), builder).again) queue.add(other);
    ruleset.commit(builder.finish());
    renderer.committed();
  }
  throw new Error("the Services never come to rest");
}

describe("incremental", () => {
  test("after any history the rules do what the plan says, and an emptied cluster leaves nothing", () => {
    fc.assert(
      fc.property(history, (steps) => {
        const renderer = new NftablesRenderer(options);
        const ruleset = new Ruleset();
        ruleset.commit(renderer.base());
        const empty = rulesetText(ruleset);
        const plans = new Map<string, ServicePlan>();
        for (const [n, state] of steps) {
          const key = `default/service-${n}`;
          const plan = planOf(state);
          if (plan === undefined) plans.delete(key);
          else plans.set(key, plan);
          change(renderer, plans, key, ruleset);
          const all = [...plans.values()];
          expectSame(ruleset, all, contested(all));
        }
        for (const key of [...plans.keys()]) {
          plans.delete(key);
          change(renderer, plans, key, ruleset);
        }
        const builder = new OperationBuilder();
        renderer.compact(builder);
        ruleset.commit(builder.finish());
        expect(rulesetText(ruleset)).toBe(empty);
        expect(renderer.served).toBe(0);
      }),
      { numRuns: 100 },
    );
  }, 120_000);

  test("a Service that stays as it is costs nothing", () => {
    fc.assert(
      fc.property(serviceState(1), (state) => {
        const renderer = new NftablesRenderer(options);
        const plan = planOf(state);
        const first = new OperationBuilder();
        renderer.change("default/service-1", plan, first);
        renderer.committed();
        const second = new OperationBuilder();
        renderer.change("default/service-1", planOf(state), second);
        expect(second.finish()).toEqual([]);
      }),
    );
  });

  test("one endpoint more or less of many is a few elements", () => {
    const state = (size: number) =>
      planService(
        {
          metadata: { namespace: "default", name: "big" },
          spec: { clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1"], ports: [{ port: 80, protocol: "TCP" }] },
        },
        [
          {
            metadata: { namespace: "default", name: "big-1", labels: { "kubernetes.io/service-name": "big" } },
            addressType: "IPv4",
            endpoints: Array.from({ length: size }, (_, i) => ({
              addresses: [`10.245.${i >> 8}.${i & 255}`],
              conditions: { ready: true },
            })),
            ports: [{ name: "", port: 8080, protocol: "TCP" }],
          },
        ],
        node,
      );
    const renderer = new NftablesRenderer(options);
    renderer.change("default/big", state(1000), new OperationBuilder());
    for (const [size, most] of [
      [1001, 4],
      [1000, 4],
    ] as const) {
      const builder = new OperationBuilder();
      renderer.change("default/big", state(size), builder);
      expect(countElements(builder.finish())).toBeLessThanOrEqual(most);
    }
  });

  test("what the kernel refuses leaves no trace: the next change goes in", () => {
    fc.assert(
      fc.property(history, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (steps, refusals) => {
        const renderer = new NftablesRenderer(options);
        const ruleset = new Ruleset();
        ruleset.commit(renderer.base());
        const plans = new Map<string, ServicePlan>();
        for (const [i, [n, state]] of steps.entries()) {
          const key = `default/service-${n}`;
          const plan = planOf(state);
          if (refusals[i] === true) {
            renderer.change(key, plan, new OperationBuilder());
            renderer.refused();
            continue;
          }
          if (plan === undefined) plans.delete(key);
          else plans.set(key, plan);
          change(renderer, plans, key, ruleset);
        }
        const all = [...plans.values()];
        expectSame(ruleset, all, contested(all));
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});

test("an own address wins over another Service's NodePort, and gives it back", () => {
  const service = (name: string, spec: object): Service => ({ metadata: { namespace: "default", name }, spec: spec as never });
  const slices = (name: string, ip: string): EndpointSlice[] => [
    {
      metadata: { namespace: "default", name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      endpoints: [{ addresses: [ip], conditions: { ready: true } }],
      ports: [{ name: "", port: 8080, protocol: "TCP" }],
    },
  ];
  const ports = (port: number, nodePort?: number) => [{ port, protocol: "TCP", ...(nodePort === undefined ? {} : { nodePort }) }];
  const open = service("open", { clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1"], ports: ports(80, 30_000) });
  const own = service("own", { clusterIP: "10.96.0.2", clusterIPs: ["10.96.0.2"], externalIPs: ["10.250.0.1"], ports: ports(30_000) });
  const plans = new Map<string, ServicePlan>([["default/open", planService(open, slices("open", "10.244.2.1"), node)]]);
  const renderer = new NftablesRenderer(options);
  const ruleset = new Ruleset();
  ruleset.commit(renderer.base());
  const answer = () => summary(traceNftables(ruleset, node, { from: "203.0.113.1", to: "10.250.0.1", port: 30_000, protocol: "TCP" }));
  change(renderer, plans, "default/open", ruleset);
  expect(answer()).toBe("10.244.2.1 8080 true");
  plans.set("default/own", planService(own, slices("own", "10.244.2.2"), node));
  change(renderer, plans, "default/own", ruleset);
  expect(answer()).toBe("10.244.2.2 8080 true");
  plans.delete("default/own");
  change(renderer, plans, "default/own", ruleset);
  expect(answer()).toBe("10.244.2.1 8080 true");
});

describe("splitOperations", () => {
  const built = (renderer: NftablesRenderer, plan: ServicePlan | undefined) => {
    const builder = new OperationBuilder();
    renderer.change("default/service-1", plan, builder);
    renderer.committed();
    return builder.finish();
  };

  test("between two transactions a Service is as it was or as it will be", () => {
    fc.assert(
      fc.property(
        fc.option(serviceState(1), { nil: undefined }),
        fc.option(serviceState(1), { nil: undefined }),
        fc.integer({ min: 1, max: 4 }),
        (from, to, most) => {
          const renderer = new NftablesRenderer(options);
          const ruleset = new Ruleset();
          ruleset.commit([...renderer.base(), ...built(renderer, planOf(from))]);
          const packets = packetsFor([planOf(from), planOf(to)].flatMap((plan) => plan ?? []));
          const answers = () => packets.map((packet) => summary(traceNftables(ruleset, node, packet)));
          const before = answers();
          const parts = splitOperations(built(renderer, planOf(to)), most);
          const seen = parts.map((part) => {
            ruleset.commit(part);
            return answers();
          });
          const after = answers();
          const torn = seen.flatMap((answer) => answer.filter((one, i) => one !== before[i] && one !== after[i]));
          expect(torn).toEqual([]);
        },
      ),
      { numRuns: 100 },
    );
  }, 120_000);

  test("parts are no larger than asked, except the switch", () => {
    const elements = Array.from({ length: 10 }, (_, i) => ({ key: ["10.0.0.1", 80, i], value: ["10.0.0.2", 80] }));
    const table = { family: "ip" as const, name: "t" };
    const set = { name: "endpoints-tcp", key: ["ipv4_addr" as const], value: ["ipv4_addr" as const] };
    const parts = splitOperations([{ kind: "addElements", table, set, elements }], 4);
    expect(parts.map(countElements)).toEqual([4, 4, 2]);
  });
});

test("the model refuses what the kernel refuses", () => {
  const ruleset = new Ruleset();
  const table = { family: "ip" as const, name: "t" };
  const code = (operations: Parameters<Ruleset["commit"]>[0]) => {
    try {
      ruleset.commit(operations);
    } catch (error) {
      return (error as RulesetError).code;
    }
    return "";
  };
  const set = { name: "s", key: ["mark" as const], value: ["mark" as const] };
  expect(code([{ kind: "addChain", table, chain: "c" }])).toBe("ENOENT");
  expect(
    code([
      { kind: "addTable", table },
      { kind: "addSet", table, set },
      { kind: "addChain", table, chain: "c" },
    ]),
  ).toBe("");
  expect(code([{ kind: "addElements", table, set, elements: [{ key: [1], value: [1] }] }])).toBe("");
  expect(code([{ kind: "addElements", table, set, elements: [{ key: [1], value: [2] }] }])).toBe("EEXIST");
  expect(code([{ kind: "deleteElements", table, set, elements: [{ key: [2] }] }])).toBe("ENOENT");
  const jump = {
    kind: "addRule" as const,
    table,
    chain: "c",
    statements: [{ kind: "verdict" as const, verdict: { kind: "goto" as const, chain: "d" } }],
  };
  expect(code([jump])).toBe("EBUSY");
  expect(code([{ kind: "addChain", table, chain: "d" }, jump])).toBe("");
  expect(code([{ kind: "deleteChain", table, chain: "d" }])).toBe("EBUSY");
});
