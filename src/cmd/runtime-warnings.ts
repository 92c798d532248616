/**
 * Fields that the node's runtime has no use for, as `Warning:` headers of the write that sets them: nobody should find out
 * from a pod's behaviour. A kind is data, so the warnings are laid over it here, where the runtime is known.
 */
import { equalSemantics } from "../api/equality.ts";
import type { KindSpec } from "../api/kind.ts";
import type { KubeObject } from "../api/object.ts";
import type { Deployment, Pod, PodSpec } from "../api/types.ts";

export interface IgnoredField {
  /** Of the pod: `spec.containers[0].resources.limits` */
  readonly field: string;
  readonly why: string;
}

interface Carrier {
  readonly spec: PodSpec | undefined;
  /** Where the pod's own `spec` is in the object. */
  readonly path: string;
}

export function withRuntimeWarnings(kinds: readonly KindSpec[], ignored: (pod: Pod) => readonly IgnoredField[]): readonly KindSpec[] {
  return kinds.map((kind) => {
    if (!["Pod", "Deployment", "ReplicaSet"].includes(kind.resource.kind)) return kind;
    return { ...kind, warnings: (object, old) => [...(kind.warnings?.(object, old) ?? []), ...runtimeWarnings(object, old, ignored)] };
  });
}

/** Told when the pod's spec is new or changed, not with every status or scale; by whoever writes it, so not to pods of controllers. */
function runtimeWarnings(
  object: KubeObject,
  old: KubeObject | undefined,
  ignored: (pod: Pod) => readonly IgnoredField[],
): readonly string[] {
  const { spec, path } = carrier(object);
  if (spec === undefined || object.metadata.ownerReferences?.some(({ controller }) => controller === true) === true) return [];
  if (old !== undefined && equalSemantics(carrier(old).spec, spec)) return [];
  return ignored({ metadata: {}, spec }).map(({ field, why }) => `${field.replace(/^spec/, path)}: has no effect here: ${why}`);
}

function carrier(object: KubeObject): Carrier {
  if (object.kind === "Pod") return { spec: (object as Pod).spec, path: "spec" };
  return { spec: (object as Deployment).spec?.template.spec, path: "spec.template.spec" };
}
