/**
 * Which pods are on which node, kept up to date by the informer and, ahead of it, by the scheduler's own bindings: looking at
 * a node costs nothing that grows with the cluster (upstream `pkg/scheduler/backend/cache`).
 */
import { objectKey } from "../../api/object.ts";
import type { Pod } from "../../api/types.ts";
import type { Informer } from "../../client/informer.ts";
import { isPodFinished } from "../../decide/endpoints/pod-state.ts";
import { controllerOf } from "../claim.ts";

interface Occupancy {
  readonly pods: Map<string, Pod>;
  /** The same as a list; undefined when it has changed. */
  list: readonly Pod[] | undefined;
}

const none: readonly Pod[] = [];

export class Placements {
  readonly #nodes = new Map<string, Occupancy>();
  /** Pod key → the form in which it is placed. */
  readonly #placed = new Map<string, Pod>();
  readonly #avoiding = new Map<string, Pod>();
  /** Controller uid → node → how many of its pods are there. */
  readonly #siblings = new Map<string, Map<string, number>>();

  /** Begins to follow. Gives the way to stop. */
  follow(informer: Informer<Pod>): () => void {
    return informer.addHandlers({
      added: (pod) => this.#observe(pod),
      updated: (pod) => this.#observe(pod),
      deleted: (pod) => this.#remove(objectKey(pod)),
    });
  }

  /** A binding was acknowledged: `pod` names its node, and has the version from before. */
  assume(pod: Pod): void {
    this.#put(objectKey(pod), pod);
  }

  /** Pods on a node that are not finished. */
  on(node: string): readonly Pod[] {
    const occupancy = this.#nodes.get(node);
    if (occupancy === undefined) return none;
    return (occupancy.list ??= [...occupancy.pods.values()]);
  }

  /** Placed pods that keep others away by required anti-affinity. */
  avoiding(): Iterable<Pod> {
    return this.#avoiding.values();
  }

  siblings(controllerUid: string): ReadonlyMap<string, number> {
    return this.#siblings.get(controllerUid) ?? new Map<string, number>();
  }

  #observe(pod: Pod): void {
    const key = objectKey(pod);
    const before = this.#placed.get(key);
    // A version from before the binding: the informer is behind.
    if (before !== undefined && before.metadata.uid === pod.metadata.uid && revisionOf(pod) <= revisionOf(before)) return;
    if ((pod.spec?.nodeName ?? "") === "" || isPodFinished(pod)) this.#remove(key);
    else this.#put(key, pod);
  }

  #put(key: string, pod: Pod): void {
    const node = pod.spec?.nodeName ?? "";
    this.#remove(key);
    const occupancy = this.#nodes.get(node) ?? { pods: new Map<string, Pod>(), list: undefined };
    occupancy.pods.set(key, pod);
    occupancy.list = undefined;
    this.#nodes.set(node, occupancy);
    this.#placed.set(key, pod);
    this.#count(pod, 1);
    const terms = pod.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    if (terms.length > 0) this.#avoiding.set(key, pod);
  }

  #count(pod: Pod, change: 1 | -1): void {
    const owner = controllerOf(pod)?.uid;
    const node = pod.spec?.nodeName ?? "";
    if (owner === undefined) return;
    const nodes = this.#siblings.get(owner) ?? new Map<string, number>();
    const count = (nodes.get(node) ?? 0) + change;
    if (count > 0) nodes.set(node, count);
    else nodes.delete(node);
    if (nodes.size > 0) this.#siblings.set(owner, nodes);
    else this.#siblings.delete(owner);
  }

  #remove(key: string): void {
    const before = this.#placed.get(key);
    if (before === undefined) return;
    this.#count(before, -1);
    const node = before.spec?.nodeName;
    this.#placed.delete(key);
    this.#avoiding.delete(key);
    const occupancy = node === undefined ? undefined : this.#nodes.get(node);
    if (node === undefined || occupancy === undefined) return;
    occupancy.pods.delete(key);
    occupancy.list = undefined;
    if (occupancy.pods.size === 0) this.#nodes.delete(node);
  }
}

const revisionOf = ({ metadata }: Pod): number => Number(metadata.resourceVersion ?? 0);
