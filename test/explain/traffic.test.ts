/**
 * What `explain` predicts against what happens: random requests to a random cluster whose pods really answer. The verdict is the same,
 * who answers is among the endpoints that were named, and each of these answers sooner or later. `FAIRLEAD_EXPLAIN_REQUESTS=1000` asks for more,
 * `FAIRLEAD_EXPLAIN_SEED` for others.
 */
import { expect, test } from "vitest";
import { deployments, endpointSlices, namespaces, nodes, pods, services } from "../../src/api/resources.ts";
import { explain, type Explanation } from "../../src/decide/explain/explain.ts";
import { defaultConfig, snapshotOf, type Snapshot } from "../../src/decide/explain/snapshot.ts";
import { startCluster, type TestCluster } from "../../src/testing/index.ts";
import { functions, randomNumbers, randomTarget, randomWorld } from "./random-world.ts";

const count = Number(process.env["FAIRLEAD_EXPLAIN_REQUESTS"] ?? 200);
const seed = Number(process.env["FAIRLEAD_EXPLAIN_SEED"] ?? 20_261_121);

test(`${count} requests of seed ${seed}: verdict and endpoints are what was predicted`, { timeout: 300_000 }, async () => {
  const random = randomNumbers(seed);
  const world = randomWorld(random);
  await using cluster = await startCluster({ functions, manifests: world.manifests });
  await expect.poll(() => settled(cluster), { timeout: 120_000 }).toBe(true);
  const snapshot = await snapshotFrom(cluster);
  const addresses = [
    ...snapshot.services.map(({ spec }) => spec?.clusterIP ?? ""),
    ...snapshot.pods.map(({ status }) => status?.podIP ?? ""),
  ].filter((address) => address !== "" && address !== "None");
  const reached = new Map<string, Set<string>>();
  let arrived = 0;
  for (let sent = 0; sent < count; sent++) {
    const target = randomTarget(random, world, addresses);
    const predicted = explain(snapshot, { target });
    const answer = await ask(cluster, target);
    expect(answer !== undefined, `${target}: ${predicted.verdict}`).toBe(predicted.ok);
    if (answer === undefined) continue;
    arrived += 1;
    expect(predicted.endpoints.map(hostOf), target).toContain(answer);
    reached.set(target, (reached.get(target) ?? new Set()).add(answer));
  }
  await reachAll(cluster, snapshot, reached);
  // A run in which everything went one way would show nothing.
  expect(arrived).toBeGreaterThan(count / 5);
  expect(arrived).toBeLessThan(count);
});

/** Asks on, for as long as an endpoint that was predicted has not answered. */
async function reachAll(cluster: TestCluster, snapshot: Snapshot, reached: ReadonlyMap<string, Set<string>>): Promise<void> {
  for (const [target, answers] of reached) {
    const wanted = wantedOf(explain(snapshot, { target }));
    for (let more = 0; more < 20 * wanted.size && answers.size < wanted.size; more++) answers.add((await ask(cluster, target)) ?? "");
    expect([...answers].toSorted(), target).toEqual([...wanted].toSorted());
  }
}

const wantedOf = ({ endpoints }: Explanation): ReadonlySet<string> => new Set(endpoints.map(hostOf));
const hostOf = (endpoint: string): string => endpoint.slice(0, endpoint.lastIndexOf(":"));

/** The address of the pod that answered; undefined: none did. */
async function ask(cluster: TestCluster, url: string): Promise<string | undefined> {
  try {
    const response = await cluster.fetch(url);
    return response.status === 200 ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}

/** Every pod that can be ready is, and the slices say so. */
async function settled(cluster: TestCluster): Promise<boolean> {
  const snapshot = await snapshotFrom(cluster);
  const isReady = (pod: Snapshot["pods"][number]) =>
    pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
  const well = snapshot.pods.filter(({ spec }) => spec?.containers[0]?.image === "test/well");
  const sick = snapshot.pods.filter(({ spec }) => spec?.containers[0]?.image === "test/sick");
  const listed = new Set(
    snapshot.endpointSlices.flatMap(({ endpoints = [] }) =>
      endpoints.flatMap(({ targetRef, conditions }) => (conditions?.ready === true ? (targetRef?.name ?? "") : [])),
    ),
  );
  const owned = well.filter(({ metadata }) => !/^(typo|alias)/.test(metadata.name ?? ""));
  return (
    well.every(isReady) &&
    sick.every(({ status }) => status?.podIP !== undefined) &&
    owned.every(({ metadata }) => listed.has(metadata.name ?? ""))
  );
}

async function snapshotFrom({ client }: TestCluster): Promise<Snapshot> {
  const lists = await Promise.all(
    [namespaces, nodes, pods, services, endpointSlices, deployments].map(async (resource) => {
      const { items } = await client.list(resource as typeof pods);
      return items.map((object) => ({ ...object, kind: resource.kind }));
    }),
  );
  return snapshotOf(lists.flat(), { ...defaultConfig, proxyMode: "userspace", networkPolicy: "ignored" });
}
