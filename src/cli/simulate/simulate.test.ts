import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Simulation } from "../../decide/simulate/simulate.ts";
import { createTerminal } from "../terminal.ts";
import { simulateCluster, type SimulateOptions } from "./simulate.ts";

const invented = { services: 50, nodes: 12, zones: 3, endpoints: 4, seed: 7 };
const usual: SimulateOptions = { name: "none", files: [], lookups: 1, outside: 0.3, output: "text" };

async function printed(options: Partial<SimulateOptions>): Promise<string> {
  let text = "";
  const stream = { write: (part: string) => ((text += part), true), isTTY: false };
  const terminal = createTerminal({ out: stream as never, err: stream as never, env: {} });
  expect(await simulateCluster({ ...usual, ...options }, terminal)).toBe(0);
  return text;
}

test("an invented cluster is the same for the same seed, and told as tables", async () => {
  const text = await printed({ invented });
  expect(text).toBe(await printed({ invented }));
  expect(text).not.toBe(await printed({ invented: { ...invented, seed: 8 } }));
  for (const part of ["12 nodes, 50 Services", "zone-2", "PreferSameZone", "iptables", "with a cache on each node"])
    expect(text).toContain(part);
});

test("a dump, as kubectl writes it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-simulate-"));
  try {
    const node = (name: string, zone: string) => ({
      apiVersion: "v1",
      kind: "Node",
      metadata: { name, labels: { "topology.kubernetes.io/zone": zone } },
    });
    const service = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web", namespace: "shop" },
      spec: { clusterIP: "10.96.0.7", ports: [{ port: 80, protocol: "TCP", targetPort: 80 }], trafficDistribution: "PreferSameZone" },
    };
    const slice = {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
      addressType: "IPv4",
      endpoints: [{ addresses: ["10.0.0.1"], nodeName: "one", zone: "a", conditions: { ready: true } }],
      ports: [{ name: "", port: 80, protocol: "TCP" }],
    };
    const file = join(directory, "dump.json");
    writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: [node("one", "a"), node("two", "b"), service, slice] }));
    const { spread, services, endpoints } = JSON.parse(await printed({ files: [file], output: "json" })) as Simulation;
    expect([services, endpoints]).toEqual([1, 1]);
    // The only endpoint is in zone a: the node there keeps its half, the other must cross.
    expect(spread.asIs).toMatchObject({ sameNode: 0.5, otherZone: 0.5, refused: 0 });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
