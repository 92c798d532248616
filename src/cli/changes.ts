/** What happened between two readings of a cluster, a line each: for `up` and `status --watch` without a terminal. Pure. */
import { objectKey, type KubeObject } from "../api/object.ts";
import { emptyServices, isOfUser, isPodReady, nodeRows, podStatus, readyEndpoints, type Reading } from "./collect.ts";

export interface Change {
  readonly kind: "good" | "bad" | "neutral";
  /** `pod shop/web-1: Pending → Running, ready at 10.244.1.3` */
  readonly text: string;
}

/** `now` in ms since the epoch: statuses have ages in them. Sorted by kind, then name. */
export function changesBetween(before: Reading, after: Reading, now: number): readonly Change[] {
  return [
    ...differences("node", facts(nodeRows(before), nodeFact), facts(nodeRows(after), nodeFact)),
    ...differences("pod", podFacts(before, now), podFacts(after, now)),
    ...differences("service", serviceFacts(before), serviceFacts(after)),
  ];
}

interface Fact {
  readonly text: string;
  readonly good: boolean;
}

type Facts = ReadonlyMap<string, Fact>;

function facts<T>(rows: readonly T[], of: (row: T) => readonly [string, Fact]): Facts {
  return new Map(rows.map(of));
}

function nodeFact({ name, ready }: { readonly name: string; readonly ready: boolean }): readonly [string, Fact] {
  return [name, { text: ready ? "Ready" : "NotReady", good: ready }];
}

function podFacts(reading: Reading, now: number): Facts {
  return facts(reading.pods.filter(isOfUser), (pod) => {
    const status = podStatus(pod, now);
    const ready = isPodReady(pod);
    return [objectKey(pod), { text: ready ? `${status}, ready at ${pod.status?.podIP}` : status, good: ready || status === "Completed" }];
  });
}

function serviceFacts(reading: Reading): Facts {
  const empty = new Set<KubeObject>(emptyServices(reading));
  return facts(
    reading.services.filter((service) => isOfUser(service) && service.spec?.type !== "ExternalName"),
    (service) => {
      const count = readyEndpoints(reading, service).length;
      return [objectKey(service), { text: `${count} endpoint${count === 1 ? "" : "s"}`, good: !empty.has(service) }];
    },
  );
}

function differences(kind: string, before: Facts, after: Facts): readonly Change[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names.flatMap((name): readonly Change[] => {
    const [old, fresh] = [before.get(name), after.get(name)];
    if (fresh === undefined) return [{ kind: "neutral", text: `${kind} ${name}: gone` }];
    if (old?.text === fresh.text) return [];
    const was = old === undefined ? "" : `${old.text} → `;
    return [{ kind: fresh.good ? "good" : "bad", text: `${kind} ${name}: ${was}${fresh.text}` }];
  });
}
