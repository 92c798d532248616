import { expect, test } from "vitest";
import type { KubeObject } from "../api/object.ts";
import { namespaces, networkPolicies, pods, type Resource } from "../api/resources.ts";
import type { InformerFactory } from "../client/informer.ts";
import { FakeInformer } from "../controllers/fake-informer.ts";
import { testPod, testPolicy } from "../decide/networkpolicy/policies.cases.ts";
import { fakeNftables } from "../host/nftables/fake.ts";
import { FakeClock } from "../lib/clock.ts";
import { createLogger } from "../lib/log.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { createPolicyEnforcer } from "./enforcer.ts";

const web = { matchLabels: { app: "web" } };

async function start() {
  const informers = { policies: new FakeInformer(networkPolicies), pods: new FakeInformer(pods), namespaces: new FakeInformer(namespaces) };
  const byPlural: Readonly<Record<string, unknown>> = { ...informers, networkpolicies: informers.policies };
  const factory = { informer: <T extends KubeObject>({ plural }: Resource<T>) => byPlural[plural] } as unknown as InformerFactory;
  const kernel = fakeNftables();
  const refuse = { next: false };
  const lines: string[] = [];
  const clock = new FakeClock();
  const nftables = {
    ...kernel,
    commit: (operations: Parameters<typeof kernel.commit>[0]) => {
      if (refuse.next) throw new Error("EBUSY: somebody else was here");
      kernel.commit(operations);
    },
  };
  const metrics = new MetricsRegistry();
  const enforcer = createPolicyEnforcer({
    ...{ node: "node-1", families: [4, 6], informers: factory, nftables, clock, metrics },
    log: createLogger({ level: "warn", write: (line) => lines.push(line) }),
  });
  informers.namespaces.show({ metadata: { name: "shop" } });
  informers.pods.show(testPod("shop/web", 1, { labels: { app: "web" } }));
  informers.policies.show(testPolicy("shop/deny", { podSelector: web, policyTypes: ["Ingress"] }));
  await enforcer.start();
  // The informers' first lists are waited for.
  await new Promise((resolve) => setImmediate(resolve));
  return { enforcer, informers, kernel, refuse, lines, clock, metrics };
}

test("what is there at the start is in force with the first transaction of each family; then it is ready", async () => {
  const { enforcer, kernel, metrics } = await start();
  expect(kernel.commits).toBe(2);
  expect(enforcer.ready().ready).toBe(true);
  expect(kernel.dump()).toContain('10.244.0.1 comment "shop/web" : goto ingress-of/');
  expect(kernel.dump()).toContain('fd00::1 comment "shop/web" : goto ingress-of/');
  expect(metrics.text()).toContain('fairlead_networkpolicy_isolated_addresses{node="node-1"} 2');
  await enforcer.stop();
});

test("changes of one turn go together; what is no policy's business costs nothing", async () => {
  const { enforcer, kernel, clock, informers } = await start();
  const before = kernel.commits;
  informers.pods.show(testPod("shop/other", 2));
  clock.advance(0);
  expect(kernel.commits).toBe(before);
  informers.pods.show(testPod("shop/web-2", 3, { labels: { app: "web" } }));
  informers.pods.show(testPod("shop/web-3", 4, { labels: { app: "web" } }));
  clock.advance(0);
  expect(kernel.commits).toBe(before + 2);
  await enforcer.settled();
  expect(kernel.dump()).toContain("10.244.0.4");
  await enforcer.stop();
});

test("what the kernel refuses is built anew, later and later, and says so", async () => {
  const { enforcer, kernel, clock, informers, refuse, lines } = await start();
  refuse.next = true;
  informers.policies.show(testPolicy("shop/more", { podSelector: web, policyTypes: ["Egress"] }));
  clock.advance(0);
  expect(enforcer.ready().ready).toBe(false);
  clock.advance(1000);
  expect(lines.length).toBe(2);
  refuse.next = false;
  clock.advance(1999);
  expect(kernel.dump()).not.toContain("jump egress/shop/more");
  clock.advance(1);
  expect(kernel.dump()).toContain("jump egress/shop/more");
  expect(kernel.dump()).toContain("jump ingress/shop/deny");
  expect(enforcer.ready().ready).toBe(true);
  await enforcer.stop();
});
