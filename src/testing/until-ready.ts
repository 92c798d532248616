/** Waits for objects that tests wait for: pods, Deployments, StatefulSets and Services. */
import { deployments, endpointSlices, pods, services, statefulSets } from "../api/resources.ts";
import { isPodReady, readyEndpoints } from "../cli/collect.ts";
import { waitUntil } from "../cli/wait.ts";
import type { InformerFactory } from "../client/informer.ts";
import { realClock } from "../lib/clock.ts";
import { FairleadError } from "../lib/errors.ts";

export interface UntilReadyOptions {
  /** Default `default`. */
  readonly namespace?: string;
  /** Milliseconds of the machine's own time; default 10,000. */
  readonly timeout?: number;
}

interface Sought {
  readonly namespace: string;
  readonly name: string;
}

/** Rejects with FL_TIMEOUT, and FL_USAGE for a kind that is not waited for. */
export async function untilReady(informers: InformerFactory, target: string, options: UntilReadyOptions): Promise<void> {
  const { namespace = "default", timeout = 10_000 } = options;
  const [kind = "", name = ""] = target.split("/");
  const isReady = readiness[kind];
  if (isReady === undefined)
    throw new FairleadError(
      "FL_USAGE",
      `untilReady(${JSON.stringify(target)}): name a ${Object.keys(readiness).join(", ")}, such as service/web`,
    );
  const watched = [
    informers.informer(pods),
    informers.informer(deployments),
    informers.informer(statefulSets),
    informers.informer(endpointSlices),
    informers.informer(services),
  ];
  const ready = await waitUntil(watched, () => isReady(informers, { namespace, name }), { clock: realClock, timeout });
  if (!ready) throw new FairleadError("FL_TIMEOUT", `${target} in ${namespace} is not ready after ${timeout} ms`);
}

const readiness: Readonly<Record<string, (informers: InformerFactory, sought: Sought) => boolean>> = {
  pod(informers, { namespace, name }) {
    const pod = informers.informer(pods).lister.get(namespace, name);
    return pod !== undefined && isPodReady(pod);
  },
  deployment(informers, { namespace, name }) {
    const { metadata, spec, status } = informers.informer(deployments).lister.get(namespace, name) ?? {};
    const wanted = spec?.replicas ?? 1;
    if (status === undefined || status.observedGeneration !== metadata?.generation) return false;
    return [status.replicas, status.updatedReplicas, status.availableReplicas].every((count) => (count ?? 0) === wanted);
  },
  statefulset(informers, { namespace, name }) {
    const { metadata, spec, status } = informers.informer(statefulSets).lister.get(namespace, name) ?? {};
    const wanted = spec?.replicas ?? 1;
    return status !== undefined && status.observedGeneration === metadata?.generation && (status.readyReplicas ?? 0) === wanted;
  },
  service(informers, { namespace, name }) {
    const service = informers.informer(services).lister.get(namespace, name);
    return (
      service !== undefined && readyEndpoints({ slices: informers.informer(endpointSlices).lister.list(namespace) }, service).length > 0
    );
  },
};
