/** What a plan is made from: Services, EndpointSlices and nodes, out of files, of any cluster, or a plan that was made before. */
import { endpointSlices, nodes, serviceCidrs, services } from "../../api/resources.ts";
import type { EndpointSlice, Node, Service, ServiceCIDR } from "../../api/types.ts";
import type { KubeObject } from "../../api/object.ts";
import type { ProxyPlan } from "../../decide/proxy/index.ts";
import { FairleadError } from "../../lib/errors.ts";
import { problemText, readAll } from "../apply.ts";
import { connect, findCluster, type ClusterChoice } from "../connect.ts";
import { readSource, sourceFiles } from "../sources.ts";
import { planOf } from "./plan-file.ts";

export interface ObjectsInput {
  readonly kind: "objects";
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
  /** Ranges of Services, where the input names them. */
  readonly serviceCIDRs: readonly string[];
}

export type ProxyInput = ObjectsInput | { readonly kind: "plan"; readonly plan: ProxyPlan };

export interface InputChoice extends ClusterChoice {
  readonly files: readonly string[];
  /** Any cluster's, read only. */
  readonly kubeconfig?: string;
}

/** Files go before a kubeconfig, and that before a running cluster. Throws FL_MANIFEST, FL_KUBECONFIG, FL_NOT_RUNNING. */
export async function readInput(choice: InputChoice): Promise<ProxyInput> {
  return choice.files.length > 0 ? fromFiles(choice.files) : fromCluster(choice.kubeconfig ?? findCluster(choice).kubeconfig);
}

async function fromFiles(files: readonly string[]): Promise<ProxyInput> {
  const sources = sourceFiles(files).map(readSource);
  const plans = sources.flatMap(({ name, text }) => planOf(text, name) ?? []);
  const [plan] = plans;
  if (plan !== undefined) {
    if (sources.length > 1) throw new FairleadError("FL_USAGE", "a plan stands for everything: give it alone");
    return { kind: "plan", plan };
  }
  const { manifests, problems } = await readAll(sources);
  // What cannot be read could be the Service in question: an answer without it would be wrong.
  if (problems.length > 0) throw new FairleadError("FL_MANIFEST", problems.map(problemText).join("\n"));
  for (const { object, source, line } of manifests) checkShape(object, `${source}:${line}`);
  return sorted(manifests.map(({ object }) => object));
}

function sorted(objects: readonly KubeObject[]): ObjectsInput {
  const of = <T extends KubeObject>(kind: string) => objects.filter((object) => object.kind === kind) as unknown as readonly T[];
  return {
    kind: "objects",
    services: of<Service>("Service").map(namespaced),
    slices: of<EndpointSlice>("EndpointSlice").map(namespaced),
    nodes: of<Node>("Node"),
    serviceCIDRs: of<ServiceCIDR>("ServiceCIDR").flatMap(({ spec }) => spec?.cidrs ?? []),
  };
}

function namespaced<T extends KubeObject>(object: T): T {
  return { ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? "default" } };
}

/** As much as the plan relies on; everything else is the API server's to judge. */
function checkShape(object: KubeObject, where: string): void {
  const refuse = (what: string) => {
    throw new FairleadError("FL_MANIFEST", `${where}: ${object.kind} ${object.metadata?.name ?? ""}: ${what}`);
  };
  const isList = (value: unknown) =>
    value === undefined || value === null || (Array.isArray(value) && value.every((one) => typeof one === "object" && one !== null));
  if (object.kind === "Service") {
    const { spec } = object as Service;
    if (!isList(spec?.ports)) refuse("spec.ports is no list of ports");
  }
  if (object.kind === "EndpointSlice") {
    const { endpoints, ports } = object as EndpointSlice;
    if (!isList(ports)) refuse("ports is no list of ports");
    if (!isList(endpoints) || !(endpoints ?? []).every(({ addresses }) => Array.isArray(addresses)))
      refuse("each endpoint must have addresses");
  }
}

async function fromCluster(kubeconfig: string): Promise<ObjectsInput> {
  const { client, close } = await connect(kubeconfig);
  try {
    const [serviceList, sliceList, nodeList, ranges] = await Promise.all([
      client.list(services),
      client.list(endpointSlices),
      client.list(nodes),
      // Served since 1.31; a cluster without it is no reason to fail.
      client.list(serviceCidrs).catch(() => ({ items: [] as readonly ServiceCIDR[] })),
    ]);
    return {
      kind: "objects",
      services: serviceList.items,
      slices: sliceList.items,
      nodes: nodeList.items,
      serviceCIDRs: ranges.items.flatMap(({ spec }) => spec?.cidrs ?? []),
    };
  } finally {
    await close();
  }
}
