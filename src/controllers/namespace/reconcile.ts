/** What the deletion of a namespace still waits for (upstream `pkg/controller/namespace/deletion`). Pure. */
import type { KubeObject } from "../../api/object.ts";
import type { Resource } from "../../api/resources.ts";
import type { Namespace, NamespaceCondition, NamespaceStatus } from "../../api/types.ts";
import { rfc3339 } from "../../lib/clock.ts";

/** The finalizer in `spec.finalizers` that this controller works for. */
export const namespaceFinalizer = "kubernetes";

/** What is left of one resource in the namespace. */
export interface Content {
  readonly resource: Resource;
  readonly objects: readonly KubeObject[];
}

export interface NamespaceFacts {
  readonly contents: readonly Content[];
  /** Texts of what could not be found out or deleted. */
  readonly discoveryFailures: readonly string[];
  readonly deletionFailures: readonly string[];
}

/** Nothing is left that is known of, and everything is known. */
export function isEmpty({ contents, discoveryFailures, deletionFailures }: NamespaceFacts): boolean {
  return contents.every(({ objects }) => objects.length === 0) && discoveryFailures.length === 0 && deletionFailures.length === 0;
}

export function terminatingStatus(namespace: Namespace, facts: NamespaceFacts, now: number): NamespaceStatus {
  const wanted = [discovered(facts), deleted(facts), remaining(facts), finalizersRemaining(facts)];
  const before = namespace.status?.conditions ?? [];
  const conditions = wanted.map((condition): NamespaceCondition => {
    const old = before.find(({ type }) => type === condition.type);
    const lastTransitionTime = old?.status === condition.status ? (old.lastTransitionTime ?? rfc3339(now)) : rfc3339(now);
    return { ...condition, lastTransitionTime };
  });
  return { ...namespace.status, phase: "Terminating", conditions };
}

type Verdict = Pick<NamespaceCondition, "type" | "status" | "reason" | "message">;

function verdict(type: string, failed: boolean, bad: readonly [string, string], good: readonly [string, string]): Verdict {
  const [reason, message] = failed ? bad : good;
  return { type, status: failed ? "True" : "False", reason, message };
}

function discovered({ discoveryFailures }: NamespaceFacts): Verdict {
  const bad = [
    "DiscoveryFailed",
    `Discovery failed for some groups, ${discoveryFailures.length} failing: ${discoveryFailures.join(", ")}`,
  ] as const;
  return verdict("NamespaceDeletionDiscoveryFailure", discoveryFailures.length > 0, bad, [
    "ResourcesDiscovered",
    "All resources successfully discovered",
  ]);
}

function deleted({ deletionFailures }: NamespaceFacts): Verdict {
  const bad = [
    "ContentDeletionFailed",
    `Failed to delete all resource types, ${deletionFailures.length} remaining: ${deletionFailures.join(", ")}`,
  ] as const;
  return verdict("NamespaceDeletionContentFailure", deletionFailures.length > 0, bad, [
    "ContentDeleted",
    "All content successfully deleted, may be waiting on finalization",
  ]);
}

function remaining({ contents }: NamespaceFacts): Verdict {
  const texts = contents
    .filter(({ objects }) => objects.length > 0)
    .map(({ resource, objects }) => `${resource.plural}.${resource.group} has ${objects.length} resource instances`);
  const bad = ["SomeResourcesRemain", `Some resources are remaining: ${texts.sort().join(", ")}`] as const;
  return verdict("NamespaceContentRemaining", texts.length > 0, bad, ["ContentRemoved", "All content successfully removed"]);
}

function finalizersRemaining({ contents }: NamespaceFacts): Verdict {
  const counts = new Map<string, number>();
  for (const finalizer of contents.flatMap(({ objects }) => objects.flatMap(({ metadata }) => metadata.finalizers ?? []))) {
    counts.set(finalizer, (counts.get(finalizer) ?? 0) + 1);
  }
  const texts = [...counts].map(([finalizer, count]) => `${finalizer} in ${count} resource instances`).sort();
  const bad = ["SomeFinalizersRemain", `Some content in the namespace has finalizers remaining: ${texts.join(", ")}`] as const;
  return verdict("NamespaceFinalizersRemaining", texts.length > 0, bad, [
    "ContentHasNoFinalizers",
    "All content-preserving finalizers finished",
  ]);
}
