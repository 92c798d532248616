/** Ingresses (networking.k8s.io/v1). */
import { ingresses } from "../resources.ts";
import type { Ingress } from "../types.ts";
import { ingressClassAnnotation, validateIngress, validateIngressStatus } from "../validation/ingress.ts";
import { ageColumn, defineKind, nameColumn, orNone, shortList, text } from "./define.ts";

function hostsText({ spec }: Ingress): string {
  const hosts = (spec?.rules ?? []).flatMap(({ host = "" }) => (host === "" ? [] : [host]));
  return shortList(hosts, "*");
}

function addressText({ status }: Ingress): string {
  const points = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || "");
  return [...new Set(points.filter((point) => point !== ""))].sort().join(",");
}

function warnings({ metadata }: Ingress, old: Ingress | undefined): string[] {
  if (old !== undefined || metadata.annotations?.[ingressClassAnnotation] === undefined) return [];
  return [`annotation "${ingressClassAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`];
}

export const ingressKind = defineKind<Ingress>({
  resource: ingresses,
  definition: "Ingress",
  singular: "ingress",
  shortNames: ["ing"],
  categories: [],
  subresources: ["status"],
  nameRule: "dns1123Subdomain",
  prepareForCreate: (ingress) => {
    ingress.status = { loadBalancer: {} };
    ingress.metadata.generation = 1;
  },
  validate: validateIngress,
  validateStatus: validateIngressStatus,
  warnings,
  columns: [
    nameColumn,
    text("Class", "The class that serves it.", ({ spec }) => orNone(spec?.ingressClassName)),
    text("Hosts", "Hosts that requests are for.", hostsText),
    text("Address", "Where it is reached.", addressText),
    text("Ports", "Its ports: 443 where it has TLS.", ({ spec }) => ((spec?.tls?.length ?? 0) === 0 ? "80" : "80, 443")),
    ageColumn,
  ],
});
