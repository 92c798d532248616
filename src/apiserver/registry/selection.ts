/** Which objects of a resource a request selects: label and field selectors as one predicate, and the single name if there is one. */
import type { KindSpec } from "../../api/kind.ts";
import type { KubeObject } from "../../api/object.ts";
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector, selectsEverything } from "../../api/selectors.ts";
import { badRequestError } from "../../api/status.ts";

export interface Selection {
  /** Absent: every object. */
  readonly match?: (object: KubeObject) => boolean;
  /** A field selector asks for this name: at most one object in a namespace matches. */
  readonly name?: string;
}

/** Throws 400 with upstream's text for a selector that cannot be read or a field that cannot be selected by. */
export function selection(kind: KindSpec, labelSelector: string, fieldSelector: string): Selection {
  const labels = parseLabelSelector(labelSelector);
  if (labels.kind === "error") throw badRequestError(labels.message);
  const fields = parseFieldSelector(fieldSelector);
  if (fields.kind === "error") throw badRequestError(fields.message);
  const getters = fields.selector.map(({ field }) => [field, fieldGetter(kind, field)] as const);
  const name = fields.selector.find(({ field, operator }) => field === "metadata.name" && operator === "=")?.value;
  const everything = selectsEverything(labels.selector) && fields.selector.length === 0;
  if (everything) return {};
  const valueOf = new Map(getters);
  const match = (object: KubeObject) =>
    matchesLabels(labels.selector, object.metadata.labels ?? {}) &&
    matchesFields(fields.selector, (field) => (valueOf.get(field) as (object: KubeObject) => string)(object));
  return { match, ...(name === undefined ? {} : { name }) };
}

function fieldGetter(kind: KindSpec, field: string): (object: KubeObject) => string {
  if (field === "metadata.name") return ({ metadata }) => metadata.name ?? "";
  if (field === "metadata.namespace" && kind.resource.namespaced) return ({ metadata }) => metadata.namespace ?? "";
  const selectable = kind.selectableFields;
  const getter = selectable !== undefined && Object.hasOwn(selectable, field) ? selectable[field] : undefined;
  if (getter !== undefined) return getter;
  throw badRequestError(
    selectable === undefined
      ? `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`
      : `field label not supported: ${field}`,
  );
}
