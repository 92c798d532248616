/** What the scheduler sees of the cluster while it places one pod. */
import type { Labels } from "../../api/selectors.ts";
import type { Node, PersistentVolumeClaim, Pod, PodDisruptionBudget } from "../../api/types.ts";

export interface SchedulingView {
  readonly nodes: readonly Node[];
  /** Pods on a node that are not finished. */
  readonly placed: (node: string) => readonly Pod[];
  /** Pods for which others were evicted from the node, and which are not there yet. */
  readonly nominated: (node: string) => readonly Pod[];
  readonly budgets: () => readonly PodDisruptionBudget[];
  /** Placed pods that keep others away by required anti-affinity. */
  readonly avoiding: () => Iterable<Pod>;
  /** How many pods of a controller, by its uid, each node has; nodes that have none are not in it. */
  readonly siblings: (controllerUid: string) => ReadonlyMap<string, number>;
  readonly namespaceLabels: (namespace: string) => Labels;
  readonly claim: (namespace: string, name: string) => PersistentVolumeClaim | undefined;
}

/** The reasons against a node; none: it fits. */
export type NodeFilter = (node: Node, placed: readonly Pod[]) => readonly string[];

/** What can be worked out once for a pod is worked out once; undefined: the filter has nothing to say about it. */
export type FilterPlugin = (pod: Pod, view: SchedulingView) => NodeFilter | undefined;

export const nodeName = ({ metadata }: Node): string => metadata.name ?? "";
