/**
 * What nodes and pods use (metrics.k8s.io, github.com/kubernetes/metrics): read only, made when it is asked for, never stored. Upstream
 * it is another server's, metrics-server; `kubectl top` and autoscalers read it.
 */
import { addDefinitions, type Definition } from "../schema/schema.ts";
import type { KindSpec } from "../kind.ts";
import type { KubeObject } from "../object.ts";
import type { Resource } from "../resources.ts";
import { defineKind, nameColumn, text } from "./define.ts";

export type Quantities = Readonly<Record<"cpu" | "memory", string>>;

interface Measured extends KubeObject {
  /** RFC 3339: the end of the window. */
  readonly timestamp: string;
  /** A duration as Go writes it: `15s`. */
  readonly window: string;
}

export interface NodeMetrics extends Measured {
  readonly usage: Quantities;
}

export interface PodMetrics extends Measured {
  readonly containers: readonly { readonly name: string; readonly usage: Quantities }[];
}

const group = "metrics.k8s.io";
const version = "v1beta1";
const packageName = "io.k8s.metrics.pkg.apis.metrics.v1beta1";

const measured: Definition["fields"] = {
  apiVersion: { type: "string" },
  kind: { type: "string" },
  metadata: { type: "object", ref: "ObjectMeta", always: true },
  timestamp: { type: "time" },
  window: { type: "string" },
};
const usage = { type: "map", values: { type: "quantity" } } as const;

// The library from which the other definitions are generated has none of this group.
addDefinitions(
  new Map<string, Definition>([
    ["NodeMetrics", { package: packageName, fields: { ...measured, usage } }],
    [
      "PodMetrics",
      { package: packageName, fields: { ...measured, containers: { type: "list", items: { type: "object", ref: "ContainerMetrics" } } } },
    ],
    ["ContainerMetrics", { package: packageName, fields: { name: { type: "string" }, usage } }],
  ]),
);

function metricsKind<T extends Measured>(kind: string, plural: string, namespaced: boolean, total: (object: T) => Quantities): KindSpec {
  const resource: Resource<T> = { group, version, plural, kind, namespaced };
  return defineKind<T>({
    resource,
    definition: kind,
    singular: "",
    shortNames: [],
    categories: [],
    subresources: [],
    verbs: ["get", "list"],
    nameRule: "dns1123Subdomain",
    columns: [
      nameColumn,
      text("CPU", "CPU time used in each second of the window.", (object: T) => total(object).cpu),
      text("Memory", "Memory in use.", (object: T) => total(object).memory),
      text("Window", "Over which the CPU time was measured.", ({ window }: T) => window),
    ],
  });
}

export const nodeMetricsKind = metricsKind<NodeMetrics>("NodeMetrics", "nodes", false, (object) => object.usage);
export const podMetricsKind = metricsKind<PodMetrics>("PodMetrics", "pods", true, ({ containers }) => ({
  cpu: `${sumOf(
    containers.map(({ usage: { cpu } }) => cpu),
    "n",
  )}n`,
  memory: `${sumOf(
    containers.map(({ usage: { memory } }) => memory),
    "Ki",
  )}Ki`,
}));

export const metricsKinds: readonly KindSpec[] = [nodeMetricsKind, podMetricsKind];

/** Of quantities that we have written ourselves, all with that suffix. */
function sumOf(quantities: readonly string[], suffix: string): number {
  return quantities.reduce((sum, quantity) => sum + Number(quantity.slice(0, -suffix.length)), 0);
}
