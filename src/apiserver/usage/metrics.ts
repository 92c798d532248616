/** Answers for metrics.k8s.io: what the agents of the nodes say, as objects. */
import { nodeMetricsKind, podMetricsKind, type NodeMetrics, type PodMetrics, type Quantities } from "../../api/kinds/metrics.ts";
import type { KindSpec } from "../../api/kind.ts";
import type { NodeUsage, ResourceUsage } from "../../api/node-agent.ts";
import { keyOf, type KubeObject } from "../../api/object.ts";
import type { ApiRequest, ApiResponse } from "../../api/request.ts";
import { apiVersionOf, nodes, pods } from "../../api/resources.ts";
import { methodNotAllowedError, noPathError, notFoundError } from "../../api/status.ts";
import type { Node, Pod } from "../../api/types.ts";
import { rfc3339, type Clock } from "../../lib/clock.ts";
import { representation } from "../encode/accept.ts";
import { includeObject, respondList, respondObject } from "../encode/respond.ts";
import { listQuery } from "../query.ts";
import { selection } from "../registry/selection.ts";
import type { ResourceRequest } from "../request-info.ts";
import type { CachedObject, Store } from "../store.ts";
import type { NodeAgentLookup } from "../subresources/pod-target.ts";

export interface MetricsOptions {
  readonly store: Pick<Store, "resource">;
  readonly nodeAgent: NodeAgentLookup;
  readonly clock: Clock;
}

/** The kind that the request is about, where it is one of these. */
export function metricsKindOf({ group, version, plural }: ResourceRequest): KindSpec | undefined {
  return [nodeMetricsKind, podMetricsKind].find(
    ({ resource }) => resource.group === group && resource.version === version && resource.plural === plural,
  );
}

/** GET of one or of a list. Throws 404 for what is not there or is not measured (yet), as metrics-server does. */
export async function answerMetrics(
  kind: KindSpec,
  request: ApiRequest,
  info: ResourceRequest,
  options: MetricsOptions,
): Promise<ApiResponse> {
  const { resource } = kind;
  if (info.subresource !== undefined || (info.namespace !== undefined && !resource.namespaced)) throw noPathError();
  if (info.verb !== "get" && info.verb !== "list") throw methodNotAllowedError(resource, info.verb);
  if (resource.namespaced && info.verb === "get" && info.namespace === undefined) throw noPathError();
  const { labelSelector, fieldSelector } = listQuery(request.query, false);
  const { match = () => true } = selection(kind, labelSelector, fieldSelector);
  const isWanted = (object: KubeObject) => (info.name === undefined ? match(object) : object.metadata.name === info.name);
  const objects = await (kind === nodeMetricsKind ? nodeMetrics(isWanted, options) : podMetrics(isWanted, info.namespace, options));
  const view = {
    ...representation(request.headers["accept"], { protobuf: false }),
    kind,
    now: options.clock.now(),
    includeObject: includeObject(request.query),
  };
  const items = objects.map(madeObject).toSorted((a, b) => (a.key < b.key ? -1 : 1));
  if (info.verb === "list") return respondList({ items, revision: 0 }, view);
  const [found] = items;
  if (found === undefined) throw notFoundError(resource, info.name ?? "");
  return respondObject(200, found, view);
}

async function nodeMetrics(isWanted: (node: KubeObject) => boolean, { store, nodeAgent }: MetricsOptions): Promise<readonly NodeMetrics[]> {
  const wanted = objectsOf<Node>(store, nodes).filter(isWanted);
  const found = await Promise.all(
    wanted.map(async (node): Promise<readonly NodeMetrics[]> => {
      const usage = await nodeAgent(node.metadata.name ?? "")?.usage?.();
      return usage === undefined ? [] : [{ ...head(nodeMetricsKind, node, usage), usage: quantities(usage.node) }];
    }),
  );
  return found.flat();
}

/** Each node's agent is asked once, whatever the number of its pods. */
async function podMetrics(
  isWanted: (pod: KubeObject) => boolean,
  namespace: string | undefined,
  { store, nodeAgent }: MetricsOptions,
): Promise<readonly PodMetrics[]> {
  const wanted = objectsOf<Pod>(store, pods).filter(
    (pod) => (namespace === undefined || pod.metadata.namespace === namespace) && isWanted(pod),
  );
  const byNode = Map.groupBy(wanted, ({ spec }) => spec?.nodeName ?? "");
  const found = await Promise.all([...byNode].map(async ([node, all]) => ofPods(all, await nodeAgent(node)?.usage?.())));
  return found.flat();
}

function ofPods(all: readonly Pod[], usage: NodeUsage | undefined): readonly PodMetrics[] {
  if (usage === undefined) return [];
  const byUid = new Map(usage.pods.map((one) => [one.pod.uid, one]));
  return all.flatMap((pod) => {
    const containers = byUid.get(pod.metadata.uid ?? "")?.containers.map(({ name, usage: used }) => ({ name, usage: quantities(used) }));
    return containers === undefined ? [] : [{ ...head(podMetricsKind, pod, usage), containers }];
  });
}

function head({ resource }: KindSpec, { metadata }: KubeObject, { at, windowMs }: NodeUsage) {
  const { name = "", namespace, labels } = metadata;
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      creationTimestamp: rfc3339(at),
    },
    timestamp: rfc3339(at),
    window: `${(windowMs / 1000).toFixed(3)}s`,
  };
}

/** As metrics-server writes them: nanocores, and kibibytes. */
function quantities({ cpuNanoCores, memoryBytes }: ResourceUsage): Quantities {
  return { cpu: `${cpuNanoCores}n`, memory: `${Math.ceil(memoryBytes / 1024)}Ki` };
}

function objectsOf<T extends KubeObject>(store: MetricsOptions["store"], resource: typeof pods | typeof nodes): readonly T[] {
  return store
    .resource(resource)
    .items()
    .map((item) => item.object() as T);
}

/** One that no store has. */
function madeObject(object: KubeObject): CachedObject {
  const { namespace, name = "" } = object.metadata;
  return {
    key: keyOf(namespace, name),
    revision: 0,
    createRevision: 0,
    object: () => object,
    bytes: () => Buffer.from(JSON.stringify(object)),
  };
}
