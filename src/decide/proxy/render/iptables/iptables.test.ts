import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../../../api/types.ts";
import { canonicalIp } from "../../../../lib/ip.ts";
import type { ServicePlan } from "../../plan.ts";
import { planService } from "../../service.ts";
import { trace, type Packet } from "../../trace.ts";
import { clients, node, serviceState, type ServiceState } from "../arbitrary.cases.ts";
import { golden, goldenInputs, goldenServices } from "../goldens.cases.ts";
import { evaluateIptables } from "./evaluate.ts";
import { largeClusterEndpoints, renderIptables, type IptablesCache } from "./render.ts";
import { chainsOf, type IptablesRules } from "./rules.ts";
import { readListing } from "./listing.ts";
import { chainLines, fullRestoreLines, jumpsQuestion, partialRestoreLines, restoreText } from "./text.ts";
import { traceIptables } from "./trace.ts";

const families = [4, 6] as const;
const plan = ({ service, slices }: ServiceState) => planService(service, slices, node);
const render = (services: readonly ServicePlan[], family: 4 | 6 = 4, cache?: IptablesCache) =>
  renderIptables(services, { node, family }, cache);

describe("goldens", () => {
  // test/root/proxy-iptables.test.ts has iptables confirm them.
  test.each(goldenInputs)("%s", (input) => {
    const services = goldenServices(input);
    const text = families.map((family) => `# IPv${family}\n${restoreText(render(services, family), { jumps: true })}`).join("\n");
    expect(text).toBe(golden(join(import.meta.dirname, `goldens/${input}.rules`), text));
  });
});

/** Who is asked: each client at each address of its family, and at addresses that nobody has. */
function packetsFor(services: readonly ServicePlan[]): Packet[] {
  const served = services.flatMap((service) =>
    service.kind === "service" ? service.ports.flatMap(({ protocol, addresses }) => addresses.map((one) => ({ ...one, protocol }))) : [],
  );
  const unserved = [{ address: "10.96.200.1", port: 80, protocol: "TCP" as const }];
  return [...served, ...unserved].flatMap(({ address, port, protocol }) =>
    clients.filter((from) => from.includes(":") === address.includes(":")).map((from) => ({ from, to: address, port, protocol })),
  );
}

/**
 * Where kube-proxy's rules do otherwise than its plan: a packet of the node's own to an address elsewhere meets OUTPUT only, from
 * where nothing leads to KUBE-EXTERNAL-SERVICES. It is not refused here, but by whoever has the address.
 */
function leavesUnasked(packet: Packet): boolean {
  const own = (text: string) => node.addresses.includes(text);
  return own(packet.from) && !own(canonicalIp(packet.to));
}

describe("random Services", () => {
  const state = fc.integer({ min: 1, max: 9 }).chain(serviceState);

  test("each packet has the plan's verdict, and each endpoint the same share", () => {
    let asked = 0;
    fc.assert(
      fc.property(state, (one) => {
        const services = [plan(one)];
        for (const packet of packetsFor(services)) {
          const rules = render(services, packet.to.includes(":") ? 6 : 4);
          const want = trace({ kind: "plan", node, services }, packet);
          const got = traceIptables(rules, node, packet);
          asked += 1;
          if (want.kind !== "dnat") {
            const internal = services.some(
              (each) =>
                each.kind === "service" &&
                each.ports.some(({ addresses }) => addresses.some(({ kind, address }) => kind === "clusterIP" && address === packet.to)),
            );
            const unasked = !internal && want.kind !== "drop" && leavesUnasked(packet);
            expect({ packet, kind: got.kind }).toEqual({ packet, kind: unasked ? "none" : want.kind });
            continue;
          }
          const wanted = want.endpoints.map(({ endpoint: { ip, port }, masquerade }) => ({ ip, port, masquerade }));
          expect({ packet, got }).toEqual({ packet, got: { kind: "dnat", endpoints: wanted } });
          const outcomes = evaluateIptables(rules, packet, { nodeAddresses: node.addresses });
          for (const { share } of outcomes) expect(share).toBeCloseTo(1 / wanted.length, 8);
        }
      }),
      { numRuns: 150 },
    );
    expect(asked).toBeGreaterThan(1000);
  });

  test("a partial sync leads to the same rules as a full one", () => {
    const change = fc
      .tuple(fc.integer({ min: 1, max: 4 }), fc.boolean())
      .chain(([n, gone]) => fc.tuple(fc.constant(n), gone ? fc.constant(undefined) : serviceState(n)));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (history) => {
        const cache: IptablesCache = new WeakMap();
        const plans = new Map<number, ServicePlan>();
        const kernel = new Map<string, string[]>();
        let have = render([], 4, cache);
        restore(kernel, restoreText(have));
        for (const [n, next] of history) {
          if (next === undefined) plans.delete(n);
          else plans.set(n, plan(next));
          const want = render([...plans.values()], 4, cache);
          restore(kernel, [...partialRestoreLines(have, want)].join("\n"));
          have = want;
          expect(kernel).toEqual(restore(new Map(), restoreText(render([...plans.values()]))));
        }
      }),
      { numRuns: 100 },
    );
  });
});

/** What iptables-restore --noflush does: named chains are emptied, rules appended, `-X` takes a chain that must be empty and unused. */
function restore(kernel: Map<string, string[]>, text: string): Map<string, string[]> {
  let table = "";
  for (const line of text.split("\n")) {
    const [word = "", chain = ""] = line.split(" ");
    if (line.startsWith("*")) table = line.slice(1);
    else if (line.startsWith(":")) kernel.set(`${table} ${word.slice(1)}`, []);
    else if (word === "-A") {
      const target = / -j (KUBE-\S+)$/.exec(line)?.[1];
      if (target !== undefined) expect([...kernel.keys()]).toContain(`${table} ${target}`);
      kernel.get(`${table} ${chain}`)?.push(line);
    } else if (word === "-X") {
      expect(kernel.get(`${table} ${chain}`)).toEqual([]);
      expect([...kernel].filter(([, lines]) => lines.some((each) => each.endsWith(` -j ${chain}`)))).toEqual([]);
      kernel.delete(`${table} ${chain}`);
    }
  }
  return kernel;
}

const service = (name: string, clusterIP: string, more: object = {}) =>
  ({ metadata: { namespace: "shop", name }, spec: { clusterIP, ports: [{ name: "http", port: 80 }], ...more } }) as Service;

function slice(name: string, addresses: readonly string[]): EndpointSlice {
  return {
    metadata: { namespace: "shop", name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  };
}

const linesOf = (rules: IptablesRules, chain: RegExp) =>
  chainsOf(rules.tables.nat)
    .filter(({ name }) => chain.test(name))
    .flatMap(chainLines);

describe("what rules say", () => {
  test("affinity: remembered endpoints first, then a draw", () => {
    const sticky = service("web", "10.96.0.9", {
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
    });
    const rules = render([planService(sticky, [slice("web", ["10.244.1.2", "10.244.1.3"])], node)]);
    const [, ...picks] = linesOf(rules, /^KUBE-SVC/);
    expect(picks.map((line) => /-m (recent|statistic)/.exec(line)?.[1])).toEqual(["recent", "recent", "statistic", undefined]);
    expect(picks[0]).toMatch(/-m recent --name (KUBE-SEP-\w+) --rcheck --seconds 60 --reap -j \1$/);
    const list = /--name (\S+)/.exec(picks[1] as string)?.[1] as string;
    const packet = { from: "10.244.9.9", to: "10.96.0.9", port: 80, protocol: "TCP" } as const;
    expect(evaluateIptables(rules, packet, { nodeAddresses: [], remembered: new Set([list]) })).toMatchObject([
      { kind: "accept", share: 1, masquerade: false, dnat: { ip: "10.244.1.3", port: 8080 } },
    ]);
  });

  test("several ranges of pods: who is in none of them is masqueraded", () => {
    const wide = { ...node, clusterCIDRs: ["10.244.0.0/16", "10.245.0.0/16"] };
    const services = [planService(service("web", "10.96.0.9"), [slice("web", ["10.244.1.2"])], wide)];
    const rules = renderIptables(services, { node: wide, family: 4 });
    const masqueraded = (from: string) => {
      const traced = traceIptables(rules, wide, { from, to: "10.96.0.9", port: 80, protocol: "TCP" });
      return traced.kind === "dnat" && traced.endpoints[0]?.masquerade;
    };
    expect(["10.244.9.9", "10.245.9.9", "203.0.113.9"].map(masqueraded)).toEqual([false, false, true]);
  });

  test("a large cluster's endpoints have no comments", () => {
    const addresses = Array.from({ length: largeClusterEndpoints + 1 }, (_, i) => `10.244.${1 + Math.floor(i / 250)}.${1 + (i % 250)}`);
    const lines = (count: number) =>
      linesOf(render([planService(service("web", "10.96.0.9"), [slice("web", addresses.slice(0, count))], node)]), /^KUBE-SEP/);
    expect(lines(largeClusterEndpoints)[0]).toContain("--comment shop/web:http");
    expect(lines(largeClusterEndpoints + 1).join()).not.toContain("comment");
  });

  test("a Service that did not change is not rendered again, and not sent", () => {
    const cache: IptablesCache = new WeakMap();
    const [a, b, c] = ["a", "b", "b"].map((name, i) =>
      planService(service(name, `10.96.0.${name === "a" ? 1 : 2}`), [slice(name, [`10.244.1.${i}`])], node),
    ) as [ServicePlan, ServicePlan, ServicePlan];
    const before = render([a, b], 4, cache);
    const after = render([a, c], 4, cache);
    expect(after.tables.nat.services[0]).toBe(before.tables.nat.services[0]);
    const text = [...partialRestoreLines(before, after)].join("\n");
    expect(text).not.toContain("10.244.1.0");
    expect(text).toContain("10.244.1.2:8080");
    expect(text.match(/^-X KUBE-SEP-\w{16}$/gm)).toHaveLength(1);
  });

  test("the kernel's chains lead to ours", () => {
    const rules = render([]);
    const portals = '-m comment --comment "kubernetes service portals" -j KUBE-SERVICES';
    expect(jumpsQuestion(rules)).toContain(`*nat\n-C OUTPUT ${portals}\n-C PREROUTING ${portals}\n`);
    const inserted = (lines: readonly string[]) => [...fullRestoreLines(rules, readListing(lines))].filter((line) => line.startsWith("-I"));
    expect(inserted([])).toHaveLength(rules.jumps.length);
    // Where one is there already, however it is written, none comes beside it.
    const some = inserted(["*nat", `-A OUTPUT -m comment --comment "portals" -j KUBE-SERVICES`, "COMMIT"]);
    expect(some).toContain(`-I PREROUTING ${portals}`);
    expect(some).toHaveLength(rules.jumps.length - 1);
  });

  test("an endpoint that changes leaves the chains that all Services share alone", () => {
    const plan = (host: number) => planService(service("web", "10.96.0.9"), [slice("web", [`10.244.1.${host}`])], node);
    const before = render([plan(1)]);
    const text = [...partialRestoreLines(before, render([plan(2)]))].join("\n");
    expect(text).toContain("10.244.1.2:8080");
    expect(text).not.toMatch(/^:KUBE-(SERVICES|NODEPORTS|MARK-MASQ|FORWARD)/m);
    expect(text).not.toContain("*filter");
    expect([...partialRestoreLines(before, render([]))].join("\n")).toMatch(/^:KUBE-SERVICES/m);
  });

  test("a name that no API server would let in stays one word", () => {
    const text = restoreText(render([planService(service('x" -j ACCEPT\n-A INPUT', "10.96.0.9"), [], node)]));
    expect(text).toContain('--comment "shop/x\\" -j ACCEPT -A INPUT:http has no endpoints"');
    expect(text.split("\n").filter((line) => line.startsWith("-A INPUT"))).toEqual([]);
  });
});
