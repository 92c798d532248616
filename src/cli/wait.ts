/** Waits until the cluster has come to rest: everything that was asked for is ready, or has said why it is not. */
import { daemonSets, deployments, endpointSlices, pods, services, statefulSets } from "../api/resources.ts";
import { matchesLabels, selectorOfMap } from "../api/selectors.ts";
import type { DaemonSet, Deployment, EndpointSlice, Pod, Service, StatefulSet } from "../api/types.ts";
import type { InformerFactory } from "../client/informer.ts";
import type { Clock } from "../lib/clock.ts";
import { isOfUser, isPodReady, podStatus, slicesOf } from "./collect.ts";

export interface Progress {
  readonly wantedPods: number;
  readonly readyPods: number;
  /** Every ready pod is an endpoint of each Service that selects it. */
  readonly endpointsCurrent: boolean;
  /** Pods that are going nowhere by themselves: `shop/web-1 CrashLoopBackOff`. */
  readonly stuck: readonly string[];
}

/** States in which a pod waits for a person. */
const stuckStates = new Set([
  "CrashLoopBackOff",
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "CreateContainerError",
  "CreateContainerConfigError",
  "RunContainerError",
  "StartError",
  "Error",
  "Failed",
]);

export interface Seen {
  readonly deployments: readonly Deployment[];
  readonly statefulSets: readonly StatefulSet[];
  readonly daemonSets: readonly DaemonSet[];
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

export function progressOf(seen: Seen, now: number): Progress {
  const { pods: podList, services: serviceList, slices } = seen;
  const mine = podList.filter((pod) => isOfUser(pod) && pod.metadata.deletionTimestamp === undefined);
  const done = (pod: Pod) => isPodReady(pod) || pod.status?.phase === "Succeeded";
  return {
    wantedPods: wantedBySets(seen) + mine.filter((pod) => !isCounted(pod)).length,
    readyPods: mine.filter(done).length,
    endpointsCurrent: serviceList.every((service) => hasEndpoints(service, slices, mine.filter(isPodReady))),
    stuck: mine.flatMap((pod) => {
      const status = podStatus(pod, now);
      return !done(pod) && stuckStates.has(status) ? [`${pod.metadata.namespace}/${pod.metadata.name} ${status}`] : [];
    }),
  };
}

/** Pods that are still to be made count as well. */
function wantedBySets({ deployments: deploymentList, statefulSets: statefulList, daemonSets: daemonList }: Seen): number {
  const scaled = [...deploymentList, ...statefulList].filter(isOfUser).map(({ spec }) => spec?.replicas ?? 1);
  // How many a DaemonSet wants only its controller knows; before it has looked, one more than none.
  const daemons = daemonList
    .filter(isOfUser)
    .map(({ metadata, status }) => (status?.observedGeneration === metadata.generation ? status?.desiredNumberScheduled : 1) ?? 1);
  return [...scaled, ...daemons].reduce((sum, count) => sum + count, 0);
}

const counted = new Set(["ReplicaSet", "StatefulSet", "DaemonSet"]);

function isCounted({ metadata }: Pod): boolean {
  return (metadata.ownerReferences ?? []).some(({ kind }) => counted.has(kind));
}

function hasEndpoints(service: Service, slices: readonly EndpointSlice[], ready: readonly Pod[]): boolean {
  const { selector } = service.spec ?? {};
  if (selector === undefined || Object.keys(selector).length === 0) return true;
  const listed = new Set(
    slicesOf({ slices }, service).flatMap(({ endpoints = [] }) =>
      (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false).flatMap(({ addresses }) => addresses),
    ),
  );
  return ready.every(
    ({ metadata, status }) =>
      metadata.namespace !== service.metadata.namespace ||
      !matchesLabels(selectorOfMap(selector), metadata.labels ?? {}) ||
      listed.has(status?.podIP ?? ""),
  );
}

export function atRest({ wantedPods, readyPods, stuck, endpointsCurrent }: Progress): boolean {
  return readyPods + stuck.length >= wantedPods && endpointsCurrent;
}

/** Resolves with the last progress when at rest, after `timeout` ms, or with the signal. */
export async function waitForRest(
  informers: InformerFactory,
  clock: Clock,
  timeout: number,
  onProgress: (progress: Progress) => void,
  signal?: AbortSignal,
): Promise<Progress> {
  const [deploymentInformer, podInformer] = [informers.informer(deployments), informers.informer(pods)];
  const [statefulInformer, daemonInformer] = [informers.informer(statefulSets), informers.informer(daemonSets)];
  const [serviceInformer, sliceInformer] = [informers.informer(services), informers.informer(endpointSlices)];
  const now = () =>
    progressOf(
      {
        deployments: deploymentInformer.lister.list(),
        statefulSets: statefulInformer.lister.list(),
        daemonSets: daemonInformer.lister.list(),
        pods: podInformer.lister.list(),
        services: serviceInformer.lister.list(),
        slices: sliceInformer.lister.list(),
      },
      clock.now(),
    );
  const look = () => {
    const progress = now();
    onProgress(progress);
    return atRest(progress);
  };
  await waitUntil([deploymentInformer, statefulInformer, daemonInformer, podInformer, serviceInformer, sliceInformer], look, {
    clock,
    timeout,
    signal,
  });
  return now();
}

/** Anything that has handlers; its objects do not matter here. */
export interface Watched {
  addHandlers(handlers: { added: () => void; updated: () => void; deleted: () => void }): () => void;
}

export interface WaitOptions {
  readonly clock: Clock;
  /** Milliseconds. */
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks at once and at every change of what is watched, never by a tick. True as soon as `look` is; false when the time or the
 * signal ends it first.
 */
export function waitUntil(watched: readonly Watched[], look: () => boolean, { clock, timeout, signal }: WaitOptions): Promise<boolean> {
  return new Promise((resolve) => {
    const stops: (() => void)[] = [];
    let ended = false;
    const end = (result: boolean) => {
      if (ended) return;
      ended = true;
      timer.cancel();
      signal?.removeEventListener("abort", abort);
      for (const stop of stops.splice(0)) stop();
      resolve(result);
    };
    const check = () => void (!ended && look() && end(true));
    const abort = () => end(false);
    const timer = clock.after(timeout, abort);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted === true) end(false);
    check();
    for (const informer of watched) {
      if (ended) break;
      // Handlers hear of what is there already before this returns: the wait may end meanwhile.
      const stop = informer.addHandlers({ added: check, updated: check, deleted: check });
      if (ended) stop();
      else stops.push(stop);
    }
  });
}
