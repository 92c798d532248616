/**
 * What the proxy of a node has to write in each mode, counted from the renderers' own output: one Service of each shape is rendered,
 * and counts as often as the shape occurs. Pure.
 */
import type { EndpointSlice, Service } from "../../api/types.ts";
import { planService, type PlanNode, type ServicePlan } from "../proxy/index.ts";
import { renderIptables } from "../proxy/render/iptables/render.ts";
import { restoreText } from "../proxy/render/iptables/text.ts";
import { renderIpvs } from "../proxy/render/ipvs/render.ts";
import { ipvsText } from "../proxy/render/ipvs/text.ts";
import { renderNftables } from "../proxy/render/nftables-trace.ts";
import { rulesetText } from "../../lib/nftables/text.ts";
import type { SimulatedService, World } from "./world.ts";

export const ruleModes = ["iptables", "ipvs", "nftables"] as const;
export type RuleMode = (typeof ruleModes)[number];

export interface RuleCount {
  /** Lines of rules or elements on each node. */
  readonly lines: number;
  /** Lines that the kernel is given when one endpoint of an average Service changes. */
  readonly perChange: number;
  /** Rules that a packet is compared with on average before it is known whose it is. */
  readonly compared: number;
}

type Shape = Pick<SimulatedService, "ports" | "ways" | "sticky"> & { readonly endpoints: number };

const node: PlanNode = { name: "node-1", addresses: ["10.250.0.1"], nodePortAddresses: ["10.250.0.1"], clusterCIDRs: ["10.128.0.0/9"] };

export function ruleCounts(world: World): Readonly<Record<RuleMode, RuleCount>> {
  const shapes = shapesOf(world);
  const perService = (mode: RuleMode) =>
    [...shapes.values()].map(({ shape, count }) => {
      const lines = linesOf(mode, shape);
      // An endpoint of those that a Service of this shape has comes back.
      const less = shape.endpoints === 0 ? lines : linesOf(mode, { ...shape, endpoints: shape.endpoints - 1 });
      return { count, lines: lines.length, change: added(less, lines) };
    });
  const counted = ruleModes.map((mode) => {
    const all = perService(mode);
    const services = Math.max(
      1,
      all.reduce((sum, { count }) => sum + count, 0),
    );
    const lines = all.reduce((sum, { count, lines: each }) => sum + count * each, 0);
    const change = all.reduce((sum, { count, change: each }) => sum + count * each, 0) / services;
    const ports = [...shapes.values()].reduce((sum, { shape, count }) => sum + count * shape.ports * (1 + shape.ways), 0);
    // The kernel takes a table of iptables as a whole, and goes through KUBE-SERVICES from its top.
    return [mode, { lines, perChange: mode === "iptables" ? lines : change, compared: mode === "iptables" ? ports / 2 : 0 }] as const;
  });
  return Object.fromEntries(counted) as Record<RuleMode, RuleCount>;
}

function shapesOf({ services }: World): ReadonlyMap<string, { readonly shape: Shape; readonly count: number }> {
  const shapes = new Map<string, { readonly shape: Shape; readonly count: number }>();
  for (const { ports, ways, sticky, endpoints: all } of services) {
    const endpoints = all.filter(({ ready }) => ready).length;
    const key = `${ports} ${ways} ${sticky} ${endpoints}`;
    shapes.set(key, { shape: { ports, ways, sticky, endpoints }, count: (shapes.get(key)?.count ?? 0) + 1 });
  }
  return shapes;
}

/** What a Service of the shape adds to a node that has none. */
function linesOf(mode: RuleMode, shape: Shape): readonly string[] {
  const empty = new Set(rendered(mode, []));
  return rendered(mode, [planService(service(shape), [slice(shape)], node)]).filter((line) => !empty.has(line));
}

function rendered(mode: RuleMode, services: readonly ServicePlan[]): readonly string[] {
  switch (mode) {
    case "iptables":
      return restoreText(renderIptables(services, { node, family: 4 }))
        .split("\n")
        .filter((line) => line.startsWith("-A"));
    case "ipvs":
      return ipvsText(renderIpvs(services, { node, family: 4, scheduler: "rr" })).split("\n");
    case "nftables":
      return elements(rulesetText(renderNftables(services, { node, serviceCIDRs: ["10.96.0.0/12"] })));
    default:
      return mode satisfies never;
  }
}

/** Classes are shared by all Services of a kind: only what is a Service's own counts. */
function elements(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) =>
      line
        .trim()
        .replace(/^elements = \{ /, "")
        .replace(/( \}|,)$/, ""),
    )
    .filter((line) => /^\d+\./.test(line));
}

function added(before: readonly string[], after: readonly string[]): number {
  const known = new Set(before);
  return after.filter((line) => !known.has(line)).length;
}

function service({ ports, ways, sticky }: Shape): Service {
  return {
    metadata: { namespace: "default", name: "one" },
    spec: {
      type: "ClusterIP",
      clusterIP: "10.96.0.1",
      clusterIPs: ["10.96.0.1"],
      externalIPs: Array.from({ length: ways }, (_, i) => `192.0.2.${i + 1}`),
      sessionAffinity: sticky ? "ClientIP" : "None",
      ports: Array.from({ length: ports }, (_, i) => ({ name: `port-${i}`, port: 80 + i, protocol: "TCP" })),
    },
  };
}

function slice({ ports, endpoints }: Shape): EndpointSlice {
  return {
    metadata: { namespace: "default", name: "one-1", labels: { "kubernetes.io/service-name": "one" } },
    addressType: "IPv4",
    endpoints: Array.from({ length: endpoints }, (_, i) => ({
      addresses: [`10.128.${i >> 8}.${i & 255}`],
      nodeName: "node-2",
      conditions: { ready: true },
    })),
    ports: Array.from({ length: ports }, (_, i) => ({ name: `port-${i}`, port: 8080 + i, protocol: "TCP" })),
  };
}
