/** One field of one object, otherwise. */
import type { KubeObject } from "../../api/object.ts";

/** `spec.ports[0].targetPort`, `metadata.labels[app.kubernetes.io/name]`; `to` undefined: the field goes. The object is left as it is. */
export function edited<T extends KubeObject>(object: T, field: string, to: unknown): T {
  return put(object, fieldSteps(field), to) as T;
}

export function fieldSteps(field: string): readonly (string | number)[] {
  return [...field.matchAll(/([^.[\]]+)|\[([^\]]+)\]/g)].map(
    ([, word, key]) => word ?? (/^\d+$/.test(key ?? "") ? Number(key) : (key as string)),
  );
}

function put(value: unknown, [step, ...rest]: readonly (string | number)[], to: unknown): unknown {
  if (step === undefined) return to;
  if (typeof step === "number") {
    const items = Array.isArray(value) ? (value as readonly unknown[]) : [];
    return items.map((item, i) => (i === step ? put(item, rest, to) : item));
  }
  const { [step]: old, ...others } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const next = put(old, rest, to);
  return next === undefined ? others : { ...others, [step]: next };
}
