/** Whether a pod has written more than it may: volumes first, then the pod, then its containers (upstream `pkg/kubelet/eviction/eviction_manager.go`). Pure. */
import { parseQuantity } from "../../api/quantity.ts";
import type { Pod } from "../../api/types.ts";

export interface StorageUsage {
  /** emptyDir volumes on disk: name → bytes. */
  readonly volumes: ReadonlyMap<string, number>;
  /** What a container has written beside its volumes: name → bytes. */
  readonly containers: ReadonlyMap<string, number>;
}

const resource = "ephemeral-storage";

/** Whether there is anything to measure. */
export function limitsStorage({ spec }: Pod): boolean {
  return (
    [...limitedVolumes(spec)].length > 0 || (spec?.containers ?? []).some(({ resources }) => resources?.limits?.[resource] !== undefined)
  );
}

/** Upstream's message; undefined: the pod may stay. */
export function storageEviction({ spec }: Pod, { volumes, containers }: StorageUsage): string | undefined {
  for (const [name, limit] of limitedVolumes(spec)) {
    if ((volumes.get(name) ?? 0) > bytes(limit))
      return `Usage of EmptyDir volume ${JSON.stringify(name)} exceeds the limit ${JSON.stringify(limit)}. `;
  }
  const limits = (spec?.containers ?? []).flatMap(({ name, resources }) => {
    const limit = resources?.limits?.[resource];
    return limit === undefined ? [] : [{ name, limit }];
  });
  if (limits.length === 0) return undefined;
  const total = sum(limits.map(({ limit }) => bytes(limit)));
  const [first] = limits;
  if (sum([...volumes.values(), ...containers.values()]) > total) {
    const text = limits.length === 1 ? (first?.limit ?? "") : String(total);
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${text}. `;
  }
  const over = limits.find(({ name, limit }) => (containers.get(name) ?? 0) > bytes(limit));
  return over && `Container ${over.name} exceeded its local ephemeral storage limit ${JSON.stringify(over.limit)}. `;
}

/** Those in memory are held by the kernel. */
function* limitedVolumes(spec: Pod["spec"]): Iterable<readonly [string, string]> {
  for (const { name, emptyDir } of spec?.volumes ?? []) {
    if (emptyDir?.sizeLimit !== undefined && emptyDir.medium !== "Memory") yield [name, emptyDir.sizeLimit];
  }
}

/** Validation has seen to it that the text is a quantity. */
function bytes(quantity: string): number {
  return Number((parseQuantity(quantity)?.nano ?? 0n) / 1_000_000_000n);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
