import fc from "fast-check";
import { expect, test } from "vitest";
import type { Ingress, Node } from "../../src/api/types.ts";
import type { Explanation } from "../../src/decide/explain/explanation.ts";
import { noRates } from "../data/rates.ts";
import type { EndpointRow, ServiceRow } from "../data/service-row.ts";
import { flowGraph, inside, outside, related, type FlowInput } from "./graph.ts";
import { layoutFlow } from "./layout.ts";
import { litBy, servicesOf } from "./lit.ts";
import { layoutTiles, tileAt, tileUnder } from "./tiles.ts";

const endpoint = (n: number, over: Partial<EndpointRow> = {}): EndpointRow => ({
  text: `10.0.0.${n}:80`,
  address: `10.0.0.${n}`,
  ports: [80],
  state: "ready",
  pod: `shop/pod-${n}`,
  node: `node-${n % 2}`,
  zone: undefined,
  hints: [],
  ...over,
});

const row = (name: string, endpoints: readonly EndpointRow[], over: Partial<ServiceRow> = {}): ServiceRow => ({
  key: `shop/${name}`,
  namespace: "shop",
  name,
  type: "ClusterIP",
  clusterIP: "10.96.0.1",
  ports: [],
  nodePorts: [],
  external: [],
  endpoints,
  ready: endpoints.length,
  state: endpoints.length === 0 ? "none" : "ready",
  words: name,
  ...over,
});

const ingress: Ingress = {
  metadata: { name: "edge", namespace: "shop" },
  spec: {
    rules: [
      {
        host: "shop.localhost",
        http: { paths: [{ pathType: "Prefix", path: "/", backend: { service: { name: "web", port: { number: 80 } } } }] },
      },
    ],
  },
};

const node = (name: string, zone: string): Node => ({ metadata: { name, labels: { "topology.kubernetes.io/zone": zone } } });

const input = (services: readonly ServiceRow[], over: Partial<FlowInput> = {}): FlowInput => ({
  services,
  ingresses: [ingress],
  httpRoutes: [],
  nodes: [node("node-0", "a"), node("node-1", "b")],
  pod: () => undefined,
  rates: noRates,
  ...over,
});

const linkTexts = (services: readonly ServiceRow[], over: Partial<FlowInput> = {}) =>
  flowGraph(input(services, over)).links.map(({ from, to, broken }) => `${from} > ${to}${broken ? " broken" : ""}`);

test("from outside through the Ingress to Services, endpoints and nodes; without an entrance from inside", () => {
  expect(linkTexts([row("web", [endpoint(1)]), row("api", [])])).toEqual([
    "outside > Ingress shop/edge",
    "Ingress shop/edge > Service shop/web",
    "Service shop/web > Pod shop/pod-1",
    "Pod shop/pod-1 > Node node-1",
    "inside > Service shop/api broken",
  ]);
});

test("a pod of two Services stands once, under the first, and both lead to it", () => {
  const graph = flowGraph(input([row("web", [endpoint(1)]), row("web-headless", [endpoint(1)])]));
  expect(graph.services.map(({ endpoints }) => endpoints.length)).toEqual([1, 0]);
  expect(graph.links.filter(({ to }) => to === "Pod shop/pod-1")).toHaveLength(2);
});

test("of many endpoints a few are drawn, those that are wanted first; the others are counted", () => {
  const many = Array.from({ length: 20 }, (_, i) => endpoint(i + 1));
  const [service] = flowGraph(input([row("web", many)], { wanted: new Set(["Pod shop/pod-19"]) })).services;
  expect(service?.more).toBe(14);
  expect(service?.endpoints[0]?.id).toBe("Pod shop/pod-19");
});

test("a node port is an entrance", () => {
  const [entrance] = flowGraph(input([row("web", [], { type: "NodePort", nodePorts: [30080] })], { ingresses: [] })).entrances;
  expect(entrance).toMatchObject({ id: "NodePort shop/web", title: "node port 30080" });
});

test("what is pointed at shows what leads to it and where it leads, and nothing beside", () => {
  const { links } = flowGraph(input([row("web", [endpoint(1)]), row("api", [endpoint(2)])]));
  expect([...related(links, "Service shop/web")].sort()).toEqual([
    "Ingress shop/edge",
    "Node node-1",
    "Pod shop/pod-1",
    "Service shop/web",
    outside,
  ]);
  expect(related(links, "Service shop/api").has(inside)).toBe(true);
});

test("nothing overlaps in a column, everything is within the map, at any width", () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 300, max: 2400 }), (counts, width) => {
      let next = 1;
      const rows = counts.map((count, i) =>
        row(
          i === 0 ? "web" : `s${i}`,
          Array.from({ length: count }, () => endpoint(next++)),
        ),
      );
      const layout = layoutFlow(flowGraph(input(rows)), width);
      const columns = Map.groupBy(layout.boxes.values(), ({ x }) => x);
      for (const boxes of columns.values()) {
        const sorted = boxes.toSorted((a, b) => a.y - b.y);
        for (const [i, box] of sorted.entries()) {
          expect(box.x + box.width).toBeLessThanOrEqual(layout.width + 1);
          expect(box.y + box.height).toBeLessThanOrEqual(layout.height);
          const above = sorted[i - 1];
          if (above !== undefined) expect(box.y).toBeGreaterThanOrEqual(above.y + above.height);
        }
      }
      const ends = [...columns].map(([x, boxes]) => [x, x + Math.max(...boxes.map((box) => box.width))] as const).sort(([a], [b]) => a - b);
      for (const [i, [x]] of ends.entries()) expect(x).toBeGreaterThan(ends[i - 1]?.[1] ?? -1);
    }),
  );
});

test("every tile is found at its own place and at no other's", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 40, max: 1500 }),
      (counts, width) => {
        const rows = counts.flatMap((count, i) => Array.from({ length: count }, (_, j) => row(`s${j}`, [], { namespace: `n${i}` })));
        const tiles = layoutTiles(rows, width);
        rows.forEach((_, index) => {
          const { x, y } = tileAt(tiles, index);
          expect(tileUnder(tiles, x + tiles.size / 2, y + tiles.size / 2)).toBe(index);
          expect(y + tiles.size).toBeLessThanOrEqual(tiles.height);
        });
        expect(tileUnder(tiles, -5, 50)).toBeUndefined();
        expect(tileUnder(tiles, 5, tiles.height + 500)).toBeUndefined();
      },
    ),
    { numRuns: 40 },
  );
});

const explanation = {
  from: { kind: "outside", namespace: "default", text: "outside" },
  path: [
    {
      kind: "route",
      ok: true,
      text: "",
      candidates: [
        { kept: true, name: "a", reason: "Matches", detail: "", ref: { kind: "Ingress", namespace: "shop", name: "edge" } },
        { kept: false, name: "b", reason: "PathMismatch", detail: "", ref: { kind: "Ingress", namespace: "shop", name: "edge" } },
      ],
    },
    {
      kind: "endpoints",
      ok: true,
      text: "",
      ref: { kind: "Service", namespace: "shop", name: "web" },
      candidates: [{ kept: false, name: "c", reason: "NotReady", detail: "", ref: { kind: "Pod", namespace: "shop", name: "web-1" } }],
    },
  ],
} as unknown as Explanation;

test("an explanation lights up what its steps name; an object of which one rule is taken is not passed over", () => {
  const all = litBy(explanation, 2, 2);
  expect([...all.steps]).toEqual([
    [outside, [1]],
    ["Ingress shop/edge", [1]],
    ["Service shop/web", [2]],
    ["Pod shop/web-1", [2]],
  ]);
  expect([...all.rejected]).toEqual([["Pod shop/web-1", "NotReady"]]);
  expect([...all.current]).toEqual(["Service shop/web", "Pod shop/web-1"]);
  expect(litBy(explanation, 1, 1).steps.has("Service shop/web")).toBe(false);
  expect(servicesOf(explanation)).toEqual(["shop/web"]);
});
