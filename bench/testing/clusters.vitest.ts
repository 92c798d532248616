/** The clusters of `testing.ts`, in a Vitest run. Figures go to the file that $FIGURES names. */
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { expect, test } from "vitest";
import { startCluster, type TestCluster } from "../../src/testing/index.ts";

const count = 100;
const manifests = `
apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec: { containers: [{ name: web, image: test/web, ports: [{ containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
`;
const functions = { "test/web": () => createServer((_, response) => response.end("ok")) };

async function answered(cluster: TestCluster): Promise<void> {
  await cluster.apply(manifests);
  await cluster.untilReady("service/web", { timeout: 60_000 });
  expect(await (await cluster.fetch("http://web/")).text()).toBe("ok");
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function memory(): { readonly rss: number; readonly heap: number } {
  globalThis.gc?.();
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss, heap: heapUsed };
}

const figures: Record<string, readonly number[]> = {};

test("one after the other", { timeout: 600_000 }, async () => {
  const [starts, answers, stops]: number[][] = [[], [], []];
  for (let i = 0; i < count; i++) {
    let cluster: TestCluster | undefined;
    const start = await timed(async () => (cluster = await startCluster({ functions })));
    const answer = await timed(() => answered(cluster as TestCluster));
    stops?.push(await timed(() => (cluster as TestCluster).stop()));
    starts?.push(start);
    answers?.push(start + answer);
  }
  Object.assign(figures, { starts, answers, stops });
});

test("all alive at once", { timeout: 600_000 }, async () => {
  const before = memory();
  const clusters: TestCluster[] = [];
  const together = await timed(async () => {
    await Promise.all(
      Array.from({ length: count }, async () => {
        const cluster = await startCluster({ functions });
        clusters.push(cluster);
        await answered(cluster);
      }),
    );
  });
  const after = memory();
  const each = { rss: (after.rss - before.rss) / count, heap: (after.heap - before.heap) / count };
  Object.assign(figures, { together: [together], rss: [each.rss], heap: [each.heap] });
  await Promise.all(clusters.map((cluster) => cluster.stop()));
  writeFileSync(process.env["FIGURES"] as string, JSON.stringify(figures));
});
