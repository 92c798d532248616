/**
 * Since when a change of a Service or its pods has been waiting to reach endpoints: the annotation
 * `endpoints.kubernetes.io/last-change-trigger-time`, from which proxies compute how long programming took (upstream
 * `endpointslice/util/trigger_time_tracker.go`).
 */
import { objectKey } from "../api/object.ts";
import type { Pod, Service } from "../api/types.ts";
import { podCondition } from "../decide/endpoints/pod-state.ts";

export class TriggerTimes {
  readonly #seen = new Map<string, ReadonlyMap<string, string>>();

  /** The earliest trigger that was not there at the last call for this Service; undefined when there is none. */
  next(service: Service, pods: readonly Pod[]): string | undefined {
    const key = objectKey(service);
    const before = this.#seen.get(key);
    const now = new Map<string, string>();
    let earliest: string | undefined;
    for (const [source, time] of triggers(service, pods)) {
      now.set(source, time);
      const known = before?.get(source);
      if ((known === undefined || known < time) && (earliest === undefined || time < earliest)) earliest = time;
    }
    this.#seen.set(key, now);
    return earliest;
  }

  forget(serviceKey: string): void {
    this.#seen.delete(serviceKey);
  }
}

function* triggers(service: Service, pods: readonly Pod[]): Iterable<readonly [string, string]> {
  if (service.metadata.creationTimestamp !== undefined) yield ["", service.metadata.creationTimestamp];
  for (const pod of pods) {
    const time = podCondition(pod, "Ready")?.lastTransitionTime;
    if (time !== undefined) yield [objectKey(pod), time];
  }
}
