/** Restarts and meddling: what is in the kernel is taken over or mended, by as little as may be. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planService, type ServicePlan } from "../../../decide/proxy/index.ts";
import { clients, node, serviceCIDRs, serviceState, type ServiceState } from "../../../decide/proxy/render/arbitrary.cases.ts";
import { traceNftables } from "../../../decide/proxy/render/nftables-trace.ts";
import { fakeNftables, type FakeNftables } from "../../../host/nftables/fake.ts";
import { evaluate } from "../../../lib/nftables/evaluate.ts";
import type { Operation } from "../../../lib/nftables/ruleset.ts";
import { NftablesBackend } from "./apply.ts";

const cluster = fc.tuple(...[1, 2, 3, 4].map((n) => fc.option(serviceState(n), { nil: undefined }))) as fc.Arbitrary<
  readonly (ServiceState | undefined)[]
>;

const plansOf = (states: readonly (ServiceState | undefined)[]) =>
  states.flatMap((state, i) =>
    state === undefined ? [] : [{ key: `default/service-${i + 1}`, plan: planService(state.service, state.slices, node) as ServicePlan }],
  );

/** A proxy's life from its start to its first sync. */
async function start(kernel: FakeNftables, states: readonly (ServiceState | undefined)[]): Promise<NftablesBackend> {
  const backend = new NftablesBackend({ node, serviceCIDRs, nftables: kernel });
  const plans = plansOf(states);
  if (plans.length > 0) for (const result of await backend.applyAll(plans)) expect(result.kind).toBe("applied");
  for (const key of backend.takeReleased()) await backend.apply(key, plans.find((one) => one.key === key)?.plan);
  await backend.completed();
  return backend;
}

function packets(states: readonly (ServiceState | undefined)[]) {
  const addresses = plansOf(states).flatMap(({ plan }) =>
    plan.kind === "service" ? plan.ports.flatMap((port) => port.addresses.map((address) => ({ port, address }))) : [],
  );
  return addresses.flatMap(({ port, address }) =>
    clients
      .filter((from) => from.includes(":") === address.address.includes(":"))
      .map((from) => ({ from, to: address.address, port: address.port, protocol: port.protocol })),
  );
}

const answer = (kernel: FakeNftables, packet: ReturnType<typeof packets>[number]) => {
  const traced = traceNftables(kernel.ruleset, node, packet);
  return traced.kind === "dnat" ? traced.endpoints.map(({ ip, port, masquerade }) => `${ip} ${port} ${masquerade}`).sort() : traced.kind;
};

describe("a restart", () => {
  test("with the same Services nothing is written", async () => {
    await fc.assert(
      fc.asyncProperty(cluster, async (states) => {
        const kernel = fakeNftables();
        await start(kernel, states);
        const [before, commits] = [kernel.dump(), kernel.commits];
        await start(kernel, states);
        expect(kernel.dump()).toBe(before);
        expect(kernel.commits).toBe(commits);
      }),
      { numRuns: 60 },
    );
  });

  test("after any history of another proxy's life the same holds", async () => {
    await fc.assert(
      fc.asyncProperty(cluster, cluster, cluster, async (first, second, third) => {
        const kernel = fakeNftables();
        const backend = await start(kernel, first);
        for (const [i, state] of second.entries()) {
          const plan = state === undefined ? undefined : planService(state.service, state.slices, node);
          await backend.apply(`default/service-${i + 1}`, plan);
        }
        await start(kernel, third);
        // A table made anew: the same answers, and as many elements.
        const fresh = fakeNftables();
        await start(fresh, third);
        for (const packet of packets(third)) expect([packet, answer(kernel, packet)]).toEqual([packet, answer(fresh, packet)]);
        expect(sizes(kernel)).toEqual(sizes(fresh));
      }),
      { numRuns: 60 },
    );
  });

  test("at no time is a packet answered otherwise than before or after", async () => {
    await fc.assert(
      fc.asyncProperty(cluster, cluster, async (old, next) => {
        const kernel = fakeNftables();
        await start(kernel, old);
        const asked = packets(next).filter((_, i) => i % 5 === 0);
        // Whether a pod sees its own address may change a moment later.
        const endpoints = (packet: ReturnType<typeof packets>[number]) =>
          JSON.stringify(answer(kernel, packet)).replaceAll(/ (true|false)/g, "");
        const before = asked.map(endpoints);
        const seen = asked.map(() => new Set<string>());
        const watched: FakeNftables = {
          ...kernel,
          commit(operations) {
            kernel.commit(operations);
            for (const [i, packet] of asked.entries()) seen[i]?.add(endpoints(packet));
          },
        };
        await start(watched, next);
        const after = asked.map(endpoints);
        for (const [i, packet] of asked.entries()) {
          // An address that goes from one Service to another is nobody's for the moment between.
          const others = [...(seen[i] ?? [])].filter((one) => one !== before[i] && one !== after[i] && !/reject|drop|none/.test(one));
          expect([packet, others]).toEqual([packet, []]);
        }
      }),
      { numRuns: 40 },
    );
  });

  test("clients stay with their endpoint", async () => {
    const state = fc.sample(serviceState(1), { numRuns: 200, seed: 7 }).find(({ service, slices }) => {
      const plan = planService(service, slices, node);
      return (
        plan.kind === "service" &&
        plan.ports.some((port) => port.affinity.kind === "clientIP" && (port.endpoints[0]?.cluster.length ?? 0) > 2)
      );
    }) as ServiceState;
    const kernel = fakeNftables();
    await start(kernel, [state]);
    const packet = packets([state]).find((one) => Array.isArray(answer(kernel, one)) && answer(kernel, one).length > 2);
    if (packet === undefined) throw new Error("the sample has no such packet");
    const connect = (random: (modulus: number) => number) =>
      evaluate(kernel.ruleset, { ...packet, protocol: packet.protocol.toLowerCase(), local: false }, { random, now: 1, keep: true });
    const first = connect((modulus) => modulus - 1);
    await start(kernel, [state]);
    expect(connect(() => 0)).toEqual(first);
  });
});

/** Elements and rules by name; classes that are kept for later do not count. */
function sizes(kernel: FakeNftables) {
  return [...kernel.ruleset.tables()].map(({ table, sets }) => [
    table.family,
    [...sets]
      .filter(([name]) => name !== "classes" && !name.startsWith("affinity"))
      .map(([name, { elements }]) => `${name} ${elements.size}`)
      .sort(),
  ]);
}

describe("somebody else", () => {
  test("whatever was taken out, changed or put in is as it was after a look", async () => {
    await fc.assert(
      fc.asyncProperty(cluster, fc.array(fc.nat(), { minLength: 1, maxLength: 8 }), async (states, picks) => {
        const kernel = fakeNftables();
        const backend = await start(kernel, states);
        if (backend.served === 0) return;
        const before = kernel.dump();
        let meddled = false;
        for (const pick of picks) meddled = meddle(kernel, pick) || meddled;
        expect(await backend.heal()).toBe(meddled && kernel.dump() === before);
        expect(kernel.dump()).toBe(before);
        const commits = kernel.commits;
        expect(await backend.heal()).toBe(false);
        expect(kernel.commits).toBe(commits);
      }),
      { numRuns: 80 },
    );
  });

  test("another's table stands", async () => {
    const kernel = fakeNftables();
    const foreign = { family: "ip", name: "docker" } as const;
    const operations: Operation[] = [
      { kind: "addTable", table: foreign },
      { kind: "addChain", table: foreign, chain: "mine" },
    ];
    kernel.commit(operations);
    const backend = await start(kernel, fc.sample(cluster, { numRuns: 1, seed: 3 })[0] ?? []);
    kernel.commit([{ kind: "addRule", table: foreign, chain: "mine", statements: [{ kind: "verdict", verdict: { kind: "drop" } }] }]);
    expect(await backend.heal()).toBe(false);
    expect(kernel.ruleset.table(foreign)?.chains.get("mine")?.rules.length).toBe(1);
  });
});

/** One change of our tables by hand; false: there was nothing to change. */
function meddle(kernel: FakeNftables, pick: number): boolean {
  const tables = [...kernel.ruleset.tables()];
  const state = tables[pick % tables.length];
  if (state === undefined) return false;
  const { table } = state;
  const chains = [...state.chains.keys()];
  const chain = chains[pick % chains.length] as string;
  const set = [...state.sets.values()].find(({ elements, declaration }) => elements.size > pick % 3 && declaration.value !== "verdict");
  const [element] = [...(set?.elements.values() ?? [])].slice(pick % 3);
  switch (pick % 4) {
    case 0:
      kernel.commit([{ kind: "flushChain", table, chain }]);
      return true;
    case 1:
      kernel.commit([{ kind: "addRule", table, chain, statements: [{ kind: "verdict", verdict: { kind: "drop" } }] }]);
      return true;
    case 2:
      if (set === undefined || element === undefined) return false;
      kernel.commit([{ kind: "deleteElements", table, set: set.declaration, elements: [element] }]);
      return true;
    default:
      kernel.commit([{ kind: "addChain", table, chain: `extra-${pick}` }]);
      return true;
  }
}
