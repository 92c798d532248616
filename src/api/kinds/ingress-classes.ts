/** IngressClasses (networking.k8s.io/v1): which controller serves an Ingress. */
import { equalSemantics } from "../equality.ts";
import { ingressClasses } from "../resources.ts";
import type { IngressClass } from "../types.ts";
import { validateIngressClass } from "../validation/ingress.ts";
import { ageColumn, defineKind, nameColumn, text } from "./define.ts";

function parametersText({ spec }: IngressClass): string {
  if (spec?.parameters === undefined) return "<none>";
  const { kind, apiGroup, name } = spec.parameters;
  return `${kind}${apiGroup === undefined ? "" : `.${apiGroup}`}/${name}`;
}

export const ingressClassKind = defineKind<IngressClass>({
  resource: ingressClasses,
  definition: "IngressClass",
  singular: "ingressclass",
  shortNames: [],
  categories: [],
  subresources: [],
  nameRule: "dns1123Subdomain",
  applyDefaults: ({ spec }) => {
    if (spec?.parameters !== undefined) spec.parameters.scope ??= "Cluster";
  },
  prepareForCreate: ({ metadata }) => {
    metadata.generation = 1;
  },
  prepareForUpdate: (ingressClass, old) => {
    if (!equalSemantics(ingressClass.spec, old.spec)) ingressClass.metadata.generation = (old.metadata.generation ?? 0) + 1;
  },
  validate: validateIngressClass,
  columns: [
    nameColumn,
    text("Controller", "Who serves Ingresses of this class.", ({ spec }) => spec?.controller ?? ""),
    text("Parameters", "An object with more settings.", parametersText),
    ageColumn,
  ],
});
