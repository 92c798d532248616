/** Every kubectl of this machine against pods that are real processes: the requests that take over their connection. */
import { afterAll, beforeAll, describe, test } from "vitest";
import { startCluster, type TestCluster } from "../../src/testing/index.ts";
import { kubectlsToTest, Session } from "./session.ts";
import { attachAndRun, execAndCopy, portForward, transports } from "./streams.ts";

const found = kubectlsToTest();
let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster({ runtime: "process" });
}, 60_000);
afterAll(() => cluster?.stop());

if (found.length === 0) test("kubectl", (context) => context.skip("this machine has no kubectl"));
for (const kubectl of found)
  for (const { name, env } of transports(Number(kubectl.minor.slice(2))))
    describe(`kubectl ${kubectl.minor} over ${name}`, { timeout: 180_000, concurrent: false }, () => {
      const session = async () => new Session(kubectl, await cluster.kubeconfig());
      test("exec and cp", async () => execAndCopy(await session(), env));
      test("attach and run -i --rm", async () => attachAndRun(await session(), env));
      test("port-forward", async () => portForward(await session(), env));
    });
