/** Fields of a pod that it can ask for by path: the downward API (upstream pkg/fieldpath and `podFieldSelectorRuntimeValue`). */
import type { Pod } from "../api/types.ts";

/** What the node knows of a pod before the API does. */
export interface PodFacts {
  /** None before it has one; the first is `status.podIP`. */
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
  /** What the node can give at most; the answer to `resourceFieldRef` where the container sets no limit. */
  readonly allocatable: { readonly cpuCores: number; readonly memoryBytes: number };
}

/** The value of `metadata.name`, `metadata.labels['app']`, `status.podIP` …; undefined when the path is not supported. */
export function fieldValue(pod: Pod, facts: PodFacts, path: string): string | undefined {
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (subscript !== null) return pod.metadata[subscript[1] as "labels" | "annotations"]?.[subscript[2] as string] ?? "";
  return fields[path]?.(pod, facts);
}

const fields: Readonly<Record<string, (pod: Pod, facts: PodFacts) => string>> = {
  "metadata.name": (pod) => pod.metadata.name ?? "",
  "metadata.namespace": (pod) => pod.metadata.namespace ?? "",
  "metadata.uid": (pod) => pod.metadata.uid ?? "",
  "metadata.labels": (pod) => mapText(pod.metadata.labels),
  "metadata.annotations": (pod) => mapText(pod.metadata.annotations),
  "spec.nodeName": (pod) => pod.spec?.nodeName ?? "",
  "spec.serviceAccountName": (pod) => pod.spec?.serviceAccountName ?? "",
  "status.hostIP": (_, facts) => facts.hostIPs[0] ?? "",
  "status.hostIPs": (_, facts) => facts.hostIPs.join(","),
  "status.podIP": (_, facts) => facts.podIPs[0] ?? "",
  "status.podIPs": (_, facts) => facts.podIPs.join(","),
};

/** `key="value"` lines in order of the keys, quoted, as files of the downward API hold them. */
function mapText(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join("\n");
}
