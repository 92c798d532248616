import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FakeClock } from "../../../lib/clock.ts";
import { Balancer } from "./balancer.ts";

describe("Balancer", () => {
  const endpoints = (count: number) => Array.from({ length: count }, (_, i) => ({ ip: `127.0.0.${i + 1}`, port: 80 }));
  const clock = new FakeClock();

  test("in turn, past those that failed; nothing when all have", () => {
    const balancer = new Balancer({ clock });
    const all = endpoints(3);
    balancer.update(all, undefined);
    expect([1, 2, 3, 4].map(() => balancer.pick("c")?.ip)).toEqual(["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.1"]);
    expect(balancer.pick("c", new Set([all[1] as never]))?.ip).toBe("127.0.0.3");
    expect(balancer.pick("c", new Set(all))).toBeUndefined();
    balancer.update([], undefined);
    expect(balancer.pick("c")).toBeUndefined();
  });

  test("what went to an endpoint is counted as long as it is one", () => {
    const balancer = new Balancer({ clock });
    const [one, two] = endpoints(2) as [{ ip: string; port: number }, { ip: string; port: number }];
    balancer.update([one, two], undefined);
    for (const endpoint of [one, two, one]) balancer.count(endpoint);
    const counts = () => balancer.carried().map(({ endpoint: { ip }, connections }) => `${ip} ${connections}`);
    expect(counts()).toEqual(["127.0.0.1 2", "127.0.0.2 1"]);
    balancer.update([{ ...one }], undefined);
    expect(counts()).toEqual(["127.0.0.1 2"]);
    balancer.update([one, two], undefined);
    balancer.count(two);
    expect(counts()).toEqual(["127.0.0.1 2", "127.0.0.2 1"]);
  });

  test("any run of changes and picks: only present endpoints, evenly", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 20 }), (counts) => {
        const balancer = new Balancer({ clock });
        for (const count of counts) {
          balancer.update(endpoints(count), undefined);
          const picks = Array.from({ length: count * 3 }, () => balancer.pick("c")?.ip);
          for (const { ip } of endpoints(count)) expect(picks.filter((pick) => pick === ip).length).toBe(3);
          if (count === 0) expect(balancer.pick("c")).toBeUndefined();
        }
      }),
    );
  });

  test("remembered clients are bounded, the longest unseen forgotten first", () => {
    const balancer = new Balancer({ clock, maxClients: 2 });
    balancer.update(endpoints(3), 1000);
    const [a, b] = [balancer.pick("a"), balancer.pick("b")];
    expect(balancer.pick("a")).toBe(a);
    balancer.pick("c");
    expect(balancer.pick("a")).toBe(a);
    expect(balancer.pick("b")).not.toBe(b);
  });

  test("least-connections counts those that are open, over changes of the endpoints too", () => {
    const balancer = new Balancer({ clock });
    balancer.update(endpoints(2), undefined, "least-connections");
    const [one, two] = endpoints(2) as [{ ip: string; port: number }, { ip: string; port: number }];
    const over = balancer.began(one);
    balancer.began(two)();
    balancer.update(endpoints(2), undefined, "least-connections");
    expect([1, 2, 3].map(() => balancer.pick("c")?.ip)).toEqual([two.ip, two.ip, two.ip]);
    over();
    over();
    balancer.began(two);
    expect(balancer.pick("c")?.ip).toBe(one.ip);
  });

  test("a remembered endpoint that fails is replaced for good", () => {
    const balancer = new Balancer({ clock });
    balancer.update(endpoints(2), 1000);
    const first = balancer.pick("a");
    const second = balancer.pick("a", new Set([first as never]));
    expect(second).not.toBe(first);
    expect(balancer.pick("a")).toBe(second);
  });
});
