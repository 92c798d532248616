/**
 * From API objects to the route table, with a verdict for each object. The whole is a fold of small steps, `translateIngress`
 * (an object), `mergeHost` (a host) and `checkBackends` (an object and its Services), which the gateway also calls one by one,
 * so that an edit costs what it touches.
 */
import type { EndpointSlice, Ingress, IngressClass, Service } from "../../api/types.ts";
import { resolveBackend, servicePort } from "./backends.ts";
import { classVerdict, type ClassPolicy } from "./ingress-class.ts";
import { translateIngress, type HostRoute, type Translation } from "./ingress.ts";
import { mergeCertificates, mergeHost, type DatedCertificate, type MergedHost } from "./merge.ts";
import { compareHosts } from "./host.ts";
import type { RouteProblem, RouteReason } from "./reasons.ts";
import {
  backendKey,
  backendsOf,
  type BackendRef,
  type CertificateRef,
  type Listener,
  type RouteTable,
  type VirtualHost,
} from "./route-table.ts";

export interface RouteObjects {
  readonly ingresses: readonly Ingress[];
  readonly ingressClasses: readonly IngressClass[];
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
}

export interface ObjectStatus {
  readonly kind: "Ingress";
  readonly namespace: string;
  readonly name: string;
  readonly verdict: { readonly kind: "served" } | { readonly kind: "not-ours"; readonly reason: RouteReason; readonly message: string };
  readonly problems: readonly RouteProblem[];
}

export interface Processed {
  readonly routeTable: RouteTable;
  /** By namespace and name. */
  readonly statuses: readonly ObjectStatus[];
}

export function processors(objects: RouteObjects, policy: ClassPolicy): Processed {
  const services = new Map(objects.services.map((service) => [`${service.metadata.namespace}/${service.metadata.name}`, service]));
  const judged = objects.ingresses.map((ingress) => ({ ingress, verdict: classVerdict(ingress, objects.ingressClasses, policy) }));
  const translated = judged.flatMap(({ ingress, verdict }) => (verdict.kind === "ours" ? [translateIngress(ingress)] : []));
  const merged = mergeAll(translated);
  const { certificates, problems } = mergeCertificates(datedCertificates(translated));
  const backendProblems = translated.flatMap(({ routes }) =>
    checkBackends(
      routes,
      (ref) => services.get(`${ref.namespace}/${ref.name}`),
      (ref) => objects.endpointSlices.filter((slice) => belongsTo(slice, ref)),
    ),
  );
  const all = [...translated.flatMap((each) => each.problems), ...merged.flatMap((each) => each.problems), ...problems, ...backendProblems];
  const hosts = merged.map(({ virtualHost }) => virtualHost);
  return { routeTable: ingressTable(hosts, certificates), statuses: judged.map(({ ingress, verdict }) => statusOf(ingress, verdict, all)) };
}

function mergeAll(translated: readonly Translation[]): readonly MergedHost[] {
  const byHost = Map.groupBy(
    translated.flatMap(({ routes }) => routes),
    ({ host }) => host,
  );
  return [...byHost].toSorted(([a], [b]) => compareHosts(a, b)).map(([host, routes]) => mergeHost(host, routes));
}

export function datedCertificates(translated: Iterable<Translation>): readonly DatedCertificate[] {
  return [...translated].flatMap(({ certificates, created }) => certificates.map((ref) => ({ ref, created })));
}

/** Ingress knows two listeners, and the same rules on both. */
export function ingressTable(virtualHosts: readonly VirtualHost[], certificates: readonly CertificateRef[]): RouteTable {
  const http: Listener = { name: "http", protocol: "HTTP", virtualHosts, certificates: [] };
  const https: Listener = { name: "https", protocol: "HTTPS", virtualHosts, certificates };
  return { kind: "RouteTable", listeners: [http, https] };
}

export function belongsTo({ metadata }: EndpointSlice, { namespace, name }: Pick<BackendRef, "namespace" | "name">): boolean {
  return metadata.namespace === namespace && metadata.labels?.["kubernetes.io/service-name"] === name;
}

/** What is wrong with the backends of an object's routes now. Such routes stay in the table and answer 503 with the reason. */
export function checkBackends(
  routes: readonly HostRoute[],
  service: (ref: BackendRef) => Service | undefined,
  slices: (ref: BackendRef) => readonly EndpointSlice[],
): readonly RouteProblem[] {
  const seen = new Set<string>();
  return routes.flatMap(({ route }) =>
    backendsOf(route).flatMap((ref): RouteProblem[] => {
      const key = backendKey(ref);
      if (seen.has(key)) return [];
      seen.add(key);
      const found = service(ref);
      const port = servicePort(ref, found);
      const backend = "kind" in port ? port : resolveBackend(ref, found, slices(ref));
      if (backend.kind === "endpoints") return [];
      const severity = backend.reason === "NoEndpoints" ? "warning" : "error";
      return [{ severity, reason: backend.reason, source: route.source, message: backend.message }];
    }),
  );
}

function statusOf({ metadata }: Ingress, verdict: ReturnType<typeof classVerdict>, all: readonly RouteProblem[]): ObjectStatus {
  const { namespace = "", name = "" } = metadata;
  const problems = all.filter(({ source }) => source.namespace === namespace && source.name === name);
  return { kind: "Ingress", namespace, name, verdict: verdict.kind === "ours" ? { kind: "served" } : verdict, problems };
}
