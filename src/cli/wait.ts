/** Waits until the cluster has come to rest: everything that was asked for is ready, or has said why it is not. */
import { deployments, endpointSlices, pods, services } from "../api/resources.ts";
import { matchesLabels, selectorOfMap } from "../api/selectors.ts";
import type { Deployment, EndpointSlice, Pod, Service } from "../api/types.ts";
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
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

export function progressOf({ deployments: deploymentList, pods: podList, services: serviceList, slices }: Seen, now: number): Progress {
  const mine = podList.filter((pod) => isOfUser(pod) && pod.metadata.deletionTimestamp === undefined);
  const byDeployments = deploymentList.filter(isOfUser).reduce((sum, { spec }) => sum + (spec?.replicas ?? 1), 0);
  const bare = mine.filter(({ metadata }) => !(metadata.ownerReferences ?? []).some(({ kind }) => kind === "ReplicaSet"));
  const done = (pod: Pod) => isPodReady(pod) || pod.status?.phase === "Succeeded";
  return {
    wantedPods: byDeployments + bare.length,
    readyPods: mine.filter(done).length,
    endpointsCurrent: serviceList.every((service) => hasEndpoints(service, slices, mine.filter(isPodReady))),
    stuck: mine.flatMap((pod) => {
      const status = podStatus(pod, now);
      return !done(pod) && stuckStates.has(status) ? [`${pod.metadata.namespace}/${pod.metadata.name} ${status}`] : [];
    }),
  };
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
  const [serviceInformer, sliceInformer] = [informers.informer(services), informers.informer(endpointSlices)];
  const now = () =>
    progressOf(
      {
        deployments: deploymentInformer.lister.list(),
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
  await waitUntil([deploymentInformer, podInformer, serviceInformer, sliceInformer], look, { clock, timeout, signal });
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
