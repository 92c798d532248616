/** Whether a node has room for what a pod requests (upstream `plugins/noderesources/fit.go`). */
import { parseQuantity } from "../../api/quantity.ts";
import type { Container, Node, Pod } from "../../api/types.ts";

/** `Insufficient cpu` for each resource that does not fit, `Too many pods` beyond the node's limit. */
export function insufficient(pod: Pod, node: Node, placed: readonly Pod[]): readonly string[] {
  const allocatable = node.status?.allocatable ?? {};
  const reasons = placed.length + 1 > mostPods(node) ? ["Too many pods"] : [];
  for (const [resource, wanted] of requests(pod)) {
    const has = allocatable[resource];
    if (wanted === 0n || (has === undefined && isBasic(resource))) continue;
    const used = placed.reduce((sum, other) => sum + (requests(other).get(resource) ?? 0n), 0n);
    if (used + wanted > nanos(has ?? "0")) reasons.push(`Insufficient ${resource}`);
  }
  return reasons;
}

const nanosPerUnit = 1_000_000_000n;

/** Objects are frozen, and every node is asked again for each pod. */
const limits = new WeakMap<Node, number>();

function mostPods(node: Node): number {
  let limit = limits.get(node);
  if (limit === undefined) {
    const text = node.status?.allocatable?.["pods"];
    limits.set(node, (limit = text === undefined ? Number.POSITIVE_INFINITY : Number(nanos(text) / nanosPerUnit)));
  }
  return limit;
}

/** A node that does not say how much of these it has is taken to have enough; of anything else it has none. */
const isBasic = (resource: string): boolean => resource === "cpu" || resource === "memory" || resource === "ephemeral-storage";

function nanos(text: string): bigint {
  return parseQuantity(text)?.nano ?? 0n;
}

/** Objects are frozen, and every pod of a node is asked again for each pod that comes. */
const known = new WeakMap<Pod, ReadonlyMap<string, bigint>>();

function requests(pod: Pod): ReadonlyMap<string, bigint> {
  const before = known.get(pod);
  if (before !== undefined) return before;
  const found = requestsOf(pod);
  known.set(pod, found);
  return found;
}

/** What a pod takes: its containers and sidecars together, or the largest init container if that is more. */
function requestsOf(pod: Pod): ReadonlyMap<string, bigint> {
  const total = new Map<string, bigint>();
  const init = pod.spec?.initContainers ?? [];
  for (const container of [...(pod.spec?.containers ?? []), ...init.filter(isSidecar)]) add(total, container);
  for (const container of init.filter((each) => !isSidecar(each))) {
    for (const [resource, text] of Object.entries(container.resources?.requests ?? {})) {
      const amount = nanos(text);
      if (amount > (total.get(resource) ?? 0n)) total.set(resource, amount);
    }
  }
  return total;
}

const isSidecar = ({ restartPolicy }: Container): boolean => restartPolicy === "Always";

function add(total: Map<string, bigint>, { resources }: Container): void {
  for (const [resource, text] of Object.entries(resources?.requests ?? {})) total.set(resource, (total.get(resource) ?? 0n) + nanos(text));
}
