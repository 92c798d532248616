/** What a person, a script and an operator do with kubectl: one cluster, every kubectl of this machine, well over a hundred commands each. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCluster, type TestCluster } from "../../src/testing/index.ts";
import { discovery, otherKinds, rights } from "./cluster-info.ts";
import { describesEverything, proxies } from "./describe.ts";
import { deletions, outputs, serverSideApply, writes } from "./objects.ts";
import { kubectlsToTest, Session } from "./session.ts";
import { kustomizations } from "./kustomizations.ts";
import { top } from "./top.ts";
import { nodes, podsAndJobs, rollouts } from "./workloads.ts";

const found = kubectlsToTest();
let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster({ runtime: "process" });
}, 60_000);
afterAll(() => cluster?.stop());

if (found.length === 0) test("kubectl", (context) => context.skip("this machine has no kubectl"));

const topics: readonly (readonly [string, (k: Session, namespace: string) => Promise<void>])[] = [
  ["discovery", discovery],
  ["outputs", outputs],
  ["writes", writes],
  ["server-side apply", serverSideApply],
  ["deletions", deletions],
  ["rollouts", rollouts],
  ["pods and jobs", podsAndJobs],
  ["nodes", nodes],
  ["rights", rights],
  ["other kinds", otherKinds],
  ["every kind described", describesEverything],
  ["proxy", proxies],
];

/** What is the same in all of them: by the newest alone. */
const ofNewest: typeof topics = [
  ["top", top],
  ["kustomizations", kustomizations],
];

for (const kubectl of found)
  describe(`kubectl ${kubectl.minor}`, { timeout: 300_000, concurrent: false }, () => {
    const counts: number[] = [];
    for (const [index, [name, run]] of [...topics, ...(kubectl === found.at(-1) ? ofNewest : [])].entries())
      test(name, async () => {
        const session = new Session(kubectl, await cluster.kubeconfig());
        await run(session, `t${index}-${kubectl.minor.replace(".", "-")}`);
        counts.push(session.count);
      });
    test("more than 120 commands in all", (context) => {
      if (counts.length < topics.length) return context.skip("not every topic ran to its end");
      expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(120);
    });
  });
