/** Who may name what: objects of other namespaces only where a ReferenceGrant there says so (ReferenceGrant, GEP-709). */
import { matchesLabels, selectorOf } from "../../../api/selectors.ts";
import type { NamespacePolicy, ObjectReference, ReferenceGrant } from "./objects.ts";

export interface Referrer {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
}

export interface Referent {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** `grants`: those of the referent's namespace. */
export function isPermitted(from: Referrer, to: Referent, grants: readonly ReferenceGrant[]): boolean {
  if (from.namespace === to.namespace) return true;
  return grants.some(
    ({ spec }) =>
      spec.from.some(({ group, kind, namespace }) => group === from.group && kind === from.kind && namespace === from.namespace) &&
      spec.to.some(({ group, kind, name = "" }) => group === to.group && kind === to.kind && (name === "" || name === to.name)),
  );
}

/** With the defaults that the schema would have filled in. */
export function referent(ref: ObjectReference, kind: string, namespace: string): Referent {
  return { group: ref.group ?? "", kind: ref.kind ?? kind, namespace: ref.namespace ?? namespace, name: ref.name };
}

/** `own`: the namespace of whoever allows. `labels`: of namespace `theirs`; undefined: it is not known. */
export function namespaceAllowed(
  { from, selector }: NamespacePolicy,
  own: string,
  theirs: string,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  switch (from) {
    case "All":
      return true;
    case "Same":
      return own === theirs;
    case "Selector":
      return labels !== undefined && matchesLabels(selectorOf(selector), labels);
    default:
      return false;
  }
}
