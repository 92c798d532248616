/** A node that falls silent, with all other controllers against the real API server. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { deployments, endpointSlices, nodes, pods, services } from "../../api/resources.ts";
import { realClock, type Clock } from "../../lib/clock.ts";
import { startPretendCluster, until, type PretendCluster } from "../pretend-cluster.cases.ts";
import { testDeployment } from "../testing.ts";

let cluster: PretendCluster;
let asleep = 0;
let silent = 0;
/** The clock on the wall leaps while a laptop sleeps; the monotonic one tells how long this process was awake. */
const clock: Clock = {
  now: () => realClock.now() + asleep,
  monotonic: () => realClock.monotonic() + silent,
  after: (ms, run) => realClock.after(ms, run),
};

beforeEach(async () => {
  [asleep, silent] = [0, 0];
  cluster = await startPretendCluster(["node-1", "node-2"], {}, clock);
  await cluster.client.create(services, {
    metadata: { name: "web", namespace: "default" },
    spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
  });
  await cluster.client.create(deployments, testDeployment({ replicas: 4 }, { uid: undefined, generation: undefined }));
  await until(async () => (await serving()).join() === "node-1,node-1,node-2,node-2");
});

afterEach(async () => {
  await cluster.stop();
  expect(cluster.complaints).toEqual([]);
});

const serving = async (): Promise<readonly string[]> =>
  (await cluster.list(endpointSlices))
    .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === "web")
    .flatMap(({ endpoints = [] }) => endpoints.filter(({ conditions }) => conditions?.ready === true))
    .map(({ nodeName = "" }) => nodeName)
    .sort();
const readyOf = async (name: string) => (await cluster.get(nodes, name)).status?.conditions?.find(({ type }) => type === "Ready")?.status;
const touch = (name: string) => cluster.patch(nodes, name, { metadata: { labels: { touched: String(Math.random()) } } });
/** A sign of life, which is news of the node's own. */
const beat = (name: string) =>
  cluster.client.patch(
    nodes,
    { name },
    "application/strategic-merge-patch+json",
    { status: { conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: "2026-01-02T00:00:00Z" }] } },
    { subresource: "status" },
  );

test("its endpoints leave, nothing is placed there, and it comes back", { timeout: 60_000 }, async () => {
  silent += 60_000;
  await beat("node-2");
  await touch("node-1");
  await until(async () => (await serving()).join() === "node-2,node-2");
  expect(await readyOf("node-1")).toBe("Unknown");
  const keys = (await until(async () => (await cluster.get(nodes, "node-1")).spec?.taints)).map(({ key, effect }) => `${key}:${effect}`);
  expect(keys).toEqual(["node.kubernetes.io/unreachable:NoSchedule", "node.kubernetes.io/unreachable:NoExecute"]);
  await cluster.patch(deployments, "web", { spec: { replicas: 6 } });
  await until(async () => (await serving()).join() === "node-2,node-2,node-2,node-2");
  await beat("node-1");
  await until(async () => (await cluster.get(nodes, "node-1")).spec?.taints === undefined);
  expect(await readyOf("node-1")).toBe("True");
});

test("its pods leave when they bear it no longer", { timeout: 60_000 }, async () => {
  await beat("node-2");
  const taints = [{ key: "maintenance", effect: "NoExecute" }];
  await cluster.patch(nodes, "node-1", { spec: { taints } });
  await until(async () => (await serving()).join() === "node-2,node-2,node-2,node-2");
  expect((await cluster.list(pods)).filter(({ spec }) => spec?.nodeName === "node-1")).toEqual([]);
});

test.each([
  ["on the wall alone", 0],
  ["and on the clock that only moves forward", 8 * 3_600_000],
])("a laptop that wakes up after hours, %s, loses no node", { timeout: 60_000 }, async (_, monotonic) => {
  asleep += 8 * 3_600_000;
  silent += monotonic;
  await touch("node-1");
  await touch("node-2");
  // Worked on after the two above: by then they have been judged.
  await cluster.client.create(nodes, { metadata: { name: "last" }, spec: { unschedulable: true } });
  await until(async () => (await cluster.get(nodes, "last")).spec?.taints);
  expect([await readyOf("node-1"), await readyOf("node-2")]).toEqual(["True", "True"]);
  expect(await serving()).toHaveLength(4);
});
