/**
 * When a pod that is being deleted may be told to stop: as soon as no proxy of this cluster leads new connections to it. In a real
 * cluster a fixed delay has to do (a preStop sleep); here the proxies are known.
 */
import { endpointSlices } from "../api/resources.ts";
import type { EndpointSlice, Pod } from "../api/types.ts";
import { waitUntil } from "../cli/wait.ts";
import type { InformerFactory } from "../client/informer.ts";
import type { Clock } from "../lib/clock.ts";

export interface OutOfServiceOptions {
  readonly informers: InformerFactory;
  readonly clock: Clock;
  /** Every change seen so far is live in the proxies. */
  readonly settled: () => Promise<void>;
}

/** Somebody may keep an endpoint ready on purpose (publishNotReadyAddresses, a slice of his own): that must not keep the pod. */
const patienceMs = 1000;

export function outOfService({ informers, clock, settled }: OutOfServiceOptions): (pod: Pod) => Promise<void> {
  return async (pod) => {
    const informer = informers.informer(endpointSlices);
    const left = () => !informer.lister.list(pod.metadata.namespace).some((slice) => leadsTo(slice, pod));
    await waitUntil([informer], left, { clock, timeout: patienceMs });
    await settled();
  };
}

function leadsTo({ endpoints }: EndpointSlice, { metadata: { uid } }: Pod): boolean {
  return (endpoints ?? []).some(({ targetRef, conditions }) => targetRef?.uid === uid && conditions?.ready !== false);
}
