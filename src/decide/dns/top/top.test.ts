import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rcodes } from "../records.ts";
import { ndotsAdvice } from "./ndots-advice.ts";
import { QueryTally } from "./query-tally.ts";
import { meantName } from "./search-path.ts";
import { SpaceSaving } from "./space-saving.ts";

describe("the most frequent keys", () => {
  test("none that is frequent is missed, and no count is too low", () => {
    const stream = fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 5 })), { maxLength: 300 });
    fc.assert(
      fc.property(stream, fc.integer({ min: 1, max: 12 }), (list, capacity) => {
        const counter = new SpaceSaving(capacity, () => undefined);
        const exact = new Map<string, number>();
        for (const [key, times] of list) {
          counter.add(String(key), times);
          exact.set(String(key), (exact.get(String(key)) ?? 0) + times);
        }
        const total = list.reduce((sum, [, times]) => sum + times, 0);
        const top = counter.top();
        expect(top.length).toBeLessThanOrEqual(capacity);
        for (const { key, count, error } of top) {
          expect(count).toBeGreaterThanOrEqual(exact.get(key) ?? 0);
          expect(count - error).toBeLessThanOrEqual(exact.get(key) ?? 0);
        }
        for (const [key, count] of exact) if (count > total / capacity) expect(top.map((one) => one.key)).toContain(key);
      }),
    );
  });
});

const path = { zone: "cluster.local.", namespace: "shop", machine: ["corp.example."] };

describe("which name was meant", () => {
  test.each([
    ["api.example.com.shop.svc.cluster.local.", "api.example.com", "namespace"],
    ["api.example.com.svc.cluster.local.", "api.example.com", "svc"],
    ["api.example.com.cluster.local.", "api.example.com", "cluster"],
    ["api.example.com.corp.example.", "api.example.com", "machine"],
    ["api.example.com.", "api.example.com", "none"],
    ["web.shop.svc.cluster.local.", "web", "namespace"],
    ["db.stock.svc.cluster.local.", "db.stock", "svc"],
    ["10-0-0-1.shop.pod.cluster.local.", "10-0-0-1.shop.pod.cluster.local", "none"],
    ["cluster.local.", "cluster.local", "none"],
  ])("%s", (name, base, step) => {
    expect(meantName(name, path)).toMatchObject({ base, step });
  });
});

/** As glibc asks with ndots 5, until somebody answers. */
function resolve(tally: QueryTally, client: string, name: string, namespace: string, answers: (asked: string) => boolean): void {
  for (const domain of [`${namespace}.svc.cluster.local.`, "svc.cluster.local.", "cluster.local.", ""]) {
    const asked = domain === "" ? `${name}.` : `${name}.${domain}`;
    const answered = answers(asked);
    tally.saw({ client, name: asked, rcode: answered ? rcodes.NOERROR : rcodes.NXDOMAIN, answered });
    if (answered) return;
  }
}

describe("who asks for what", () => {
  const tally = new QueryTally({ now: () => 7 });
  const exists = (name: string) =>
    ["api.example.com.", "pay.example.org.", "web.shop.svc.cluster.local.", "db.stock.svc.cluster.local."].includes(name);
  for (let i = 0; i < 10; i++) {
    for (const name of ["pay.example.org", "api.example.com", "web", "db.stock"]) resolve(tally, "10.0.0.1", name, "shop", exists);
  }
  resolve(tally, "10.0.0.2", "web", "shop", exists);
  const report = tally.report();
  const [busy] = report.clients;

  test("questions, and those that the search path wasted, by client and name", () => {
    expect(report).toMatchObject({ since: 7, queries: 111 });
    expect(report.clients.map(({ address }) => address)).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(busy).toMatchObject({ namespace: "shop", queries: 110, denied: 70, wasted: 70 });
    const names = Object.fromEntries((busy?.names ?? []).map(({ name, ...counts }) => [name, counts]));
    expect(names["api.example.com"]).toEqual({ queries: 40, absolute: 10, search: 0, wasted: 30 });
    expect(names["web"]).toEqual({ queries: 10, absolute: 0, search: 10, wasted: 0 });
    expect(names["db.stock"]).toMatchObject({ search: 10 });
  });

  test("what ndots 1 and 2 would save, and what leans on the search path", () => {
    const client = busy ?? { names: [] };
    expect(ndotsAdvice(client, 2)).toEqual({ ndots: 2, saved: 60, breaks: [] });
    expect(ndotsAdvice(client, 1)).toEqual({ ndots: 1, saved: 60, breaks: ["db.stock"] });
    expect(ndotsAdvice(client, 5)).toEqual({ ndots: 5, saved: 0, breaks: [] });
  });

  test("is bounded whatever is asked, and the busy ones stay", () => {
    const bounded = new QueryTally({ now: () => 0, maxClients: 10, maxNames: 10 });
    for (let i = 0; i < 5000; i++) {
      bounded.saw({ client: `10.1.${i >> 8}.${i & 255}`, name: `x${i}.`, rcode: 3, answered: false });
      bounded.saw({ client: "10.0.0.1", name: i % 2 === 0 ? "often." : `y${i}.`, rcode: 0, answered: true });
    }
    const { clients } = bounded.report();
    expect(clients.length).toBe(10);
    expect(clients[0]?.address).toBe("10.0.0.1");
    expect(clients[0]?.names[0]?.name).toBe("often");
    for (const { names } of clients) expect(names.length).toBeLessThanOrEqual(10);
  });
});
