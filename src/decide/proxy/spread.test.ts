/**
 * What the rules' draws come to: 10,000 connections through the rendered rules of each mode that draws, by a generator with a fixed
 * seed, against an even share (Pearson's chi-square). `test/root/spread.test.ts` has the kernel draw.
 */
import { expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../api/types.ts";
import { evaluate } from "../../lib/nftables/evaluate.ts";
import { evaluateIptables } from "./render/iptables/evaluate.ts";
import { renderIptables } from "./render/iptables/render.ts";
import { renderNftables } from "./render/nftables-trace.ts";
import { node } from "./render/arbitrary.cases.ts";
import { planService } from "./service.ts";

const connections = 10_000;

function planOf(endpoints: number) {
  const service = { metadata: { namespace: "shop", name: "web" }, spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }] } } as Service;
  const slice: EndpointSlice = {
    metadata: { namespace: "shop", name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    endpoints: Array.from({ length: endpoints }, (_, i) => ({ addresses: [`10.244.2.${i + 1}`] })),
    ports: [{ port: 8080, protocol: "TCP" }],
  };
  return [planService(service, [slice], node)];
}

/** SplitMix32 (Steele, Lea, Flood 2014, cut to 32 bits): 0 to below 1. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e37_79b9) | 0;
    let value = Math.imul(state ^ (state >>> 16), 0x21f0_aaad);
    value = Math.imul(value ^ (value >>> 15), 0x735a_2d97);
    return ((value ^ (value >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** The chance of at least such a deviation (Wilson and Hilferty 1931). */
function probability(counts: readonly number[], total: number): number {
  const expected = total / counts.length;
  const statistic = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  const freedom = counts.length - 1;
  const normal = (Math.cbrt(statistic / freedom) - (1 - 2 / (9 * freedom))) / Math.sqrt(2 / (9 * freedom));
  return 1 - cumulative(normal);
}

/** Of the standard normal distribution (Abramowitz and Stegun 26.2.17, to 7.5e-8). */
function cumulative(x: number): number {
  if (x < 0) return 1 - cumulative(-x);
  const t = 1 / (1 + 0.231_641_9 * x);
  const polynomial = t * (0.319_381_53 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
  return 1 - (Math.exp(-x * x * 0.5) / Math.sqrt(2 * Math.PI)) * polynomial;
}

const packet = { from: "10.244.9.9", to: "10.96.0.1", port: 80 };

const draws = {
  nftables(endpoints: number, random: () => number): () => string {
    const rules = renderNftables(planOf(endpoints), { node, serviceCIDRs: ["10.96.0.0/12"] });
    return () => {
      const pick = (modulus: number) => Math.floor(random() * modulus);
      const outcome = evaluate(rules, { ...packet, protocol: "tcp", local: false }, { random: pick, now: 0, keep: false });
      return outcome.kind === "accept" ? (outcome.dnat?.address ?? "none") : outcome.kind;
    };
  },
  iptables(endpoints: number, random: () => number): () => string {
    const rules = renderIptables(planOf(endpoints), { node, family: 4 });
    const outcomes = evaluateIptables(rules, { ...packet, protocol: "TCP" }, { nodeAddresses: node.addresses });
    return () => {
      let left = random();
      const drawn = outcomes.find(({ share }) => (left -= share) < 0) ?? outcomes.at(-1);
      return drawn?.kind === "accept" ? (drawn.dnat?.ip ?? "none") : (drawn?.kind ?? "none");
    };
  },
};

test.each(Object.keys(draws) as (keyof typeof draws)[])("%s: 10,000 connections are spread evenly", (mode) => {
  for (const endpoints of [2, 3, 7, 50]) {
    const draw = draws[mode](endpoints, generator(endpoints));
    const counts = new Map<string, number>();
    for (let i = 0; i < connections; i++) {
      const to = draw();
      counts.set(to, (counts.get(to) ?? 0) + 1);
    }
    expect([...counts.keys()].every((to) => to.startsWith("10.244.2."))).toBe(true);
    expect(counts.size).toBe(endpoints);
    expect(probability([...counts.values()], connections)).toBeGreaterThanOrEqual(0.001);
  }
});

test("the measure tells an uneven spread", () => {
  expect(probability([3333, 3334, 3333], connections)).toBeGreaterThan(0.99);
  expect(probability([3600, 3200, 3200], connections)).toBeLessThan(1e-6);
});
