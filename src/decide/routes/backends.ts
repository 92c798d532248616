/** From a backend of a route to the addresses behind it: the Service's port, then the endpoints, past any proxy. */
import type { Endpoint, EndpointSlice, Service, ServicePort } from "../../api/types.ts";
import type { RouteReason } from "./reasons.ts";
import type { BackendPort, BackendProtocol, BackendRef } from "./route-table.ts";
import { readServiceTuning, type ServiceTuning } from "./service-annotations.ts";

export interface BackendEndpoint {
  readonly ip: string;
  readonly port: number;
  readonly zone?: string;
}

/** How endpoints are spoken to over TLS (BackendTLSPolicy). */
export interface UpstreamTls {
  /** SNI; also the name in the certificate unless `names` has some. */
  readonly serverName: string;
  /** Any of these in the certificate is enough (`subjectAltNames`). */
  readonly names: readonly { readonly kind: "dns" | "uri"; readonly value: string }[];
  /** PEM; undefined: the authorities of the system. */
  readonly ca: string | undefined;
  /** Nobody checks who answers (ingress-nginx's `backend-protocol: HTTPS`). */
  readonly unverified?: true;
}

export type Backend =
  | {
      readonly kind: "endpoints";
      readonly endpoints: readonly BackendEndpoint[];
      /** Absent: HTTP/1.1. */
      readonly speaks?: BackendProtocol;
      /** Absent: plain. */
      readonly tls?: UpstreamTls;
      /** What the Service says of how its endpoints are asked; absent: nothing. */
      readonly tuning?: ServiceTuning;
    }
  | { readonly kind: "unusable"; readonly reason: BackendReason; readonly message: string };

export type BackendReason = Extract<
  RouteReason,
  | "ServiceNotFound"
  | "ServicePortNotFound"
  | "ExternalName"
  | "PortProtocol"
  | "AppProtocol"
  | "BackendTLS"
  | "NoEndpoints"
  | "UnsupportedAnnotation"
>;

type Unusable = Extract<Backend, { kind: "unusable" }>;

export interface ResolveOptions {
  /** How to speak TLS to it, if a BackendTLSPolicy says so. */
  readonly tls?: UpstreamTls | undefined;
  /** Where the gateway is (`topology.kubernetes.io/zone`); absent: nowhere in particular. */
  readonly zone?: string | undefined;
}

export function resolveBackend(
  ref: BackendRef,
  service: Service | undefined,
  slices: readonly EndpointSlice[],
  { tls: given, zone }: ResolveOptions = {},
): Backend {
  const tls = given ?? (ref.tls === "unverified" ? unverified(service) : undefined);
  const port = servicePort(ref, service, tls !== undefined);
  if ("kind" in port) return port;
  const name = `Service ${ref.namespace}/${ref.name}`;
  const tuning = readServiceTuning(service as Service);
  if (typeof tuning === "string") return unusable("UnsupportedAnnotation", `${name}: ${tuning}`);
  const endpoints = endpointsOf(port, ofOneFamily(service as Service, slices), zone);
  if (endpoints.length === 0) return unusable("NoEndpoints", `${name} has no ready endpoint for port ${portText(ref.port)}`);
  const http2 = speaksHttp2(port);
  if (tuning.proxyProtocol !== undefined && (http2 || ref.speaks === "h2c"))
    return unusable("UnsupportedAnnotation", `${name}: a PROXY header names one client, and connections over HTTP/2 are shared by many`);
  return {
    kind: "endpoints",
    endpoints,
    ...(http2 ? { speaks: "h2c" as const } : {}),
    ...(tls === undefined ? {} : { tls }),
    ...(Object.keys(tuning).length === 0 ? {} : { tuning }),
  };
}

function unverified(service: Service | undefined): UpstreamTls {
  return { serverName: `${service?.metadata.name}.${service?.metadata.namespace}.svc`, names: [], ca: undefined, unverified: true };
}

/** What can be said without looking at endpoints. `secured`: somebody says how to speak TLS to it. */
export function servicePort(ref: BackendRef, service: Service | undefined, secured = false): ServicePort | Unusable {
  const name = `Service ${ref.namespace}/${ref.name}`;
  if (service === undefined) return unusable("ServiceNotFound", `${name} does not exist`);
  if (service.spec?.type === "ExternalName") return unusable("ExternalName", `${name} is of type ExternalName, which is not followed`);
  const ports = service.spec?.ports ?? [];
  const protocol = ref.transport ?? "TCP";
  const port =
    ports.find((each) => matchesPort(ref.port, each) && (each.protocol ?? "TCP") === protocol) ??
    ports.find((each) => matchesPort(ref.port, each));
  if (port === undefined) {
    return unusable(
      "ServicePortNotFound",
      `${name} has no port ${portText(ref.port)}; it has ${ports.map(describePort).join(", ") || "none"}`,
    );
  }
  if ((port.protocol ?? "TCP") !== protocol)
    return unusable("PortProtocol", `${name} port ${portText(ref.port)} is ${port.protocol ?? "TCP"}, not ${protocol}`);
  if (!secured && ref.tls === undefined && asksForTls(port)) {
    return unusable(
      "AppProtocol",
      `${name} port ${portText(ref.port)} wants appProtocol ${JSON.stringify(port.appProtocol)}, and nothing says whom to trust (a BackendTLSPolicy would)`,
    );
  }
  return port;
}

/** KEP-3726 (`kubernetes.io/…`) and the older names. WebSockets need no say: every backend may upgrade. */
function asksForTls({ appProtocol }: ServicePort): boolean {
  return ["https", "kubernetes.io/wss"].includes(appProtocol?.toLowerCase() ?? "");
}

function speaksHttp2({ appProtocol }: ServicePort): boolean {
  return ["kubernetes.io/h2c", "h2c", "grpc"].includes(appProtocol?.toLowerCase() ?? "");
}

/** Whether a port of a Service is the one that a backend means. */
export function matchesPort(wanted: BackendPort, port: ServicePort): boolean {
  switch (wanted.kind) {
    case "number":
      return port.port === wanted.number;
    case "name":
      return port.name === wanted.name;
    case "first":
      return true;
  }
}

export function portText(port: BackendPort): string {
  switch (port.kind) {
    case "number":
      return String(port.number);
    case "name":
      return JSON.stringify(port.name);
    case "first":
      return "(the first)";
  }
}

function describePort({ port, name }: ServicePort): string {
  return name === undefined || name === "" ? String(port) : `${port} (${name})`;
}

function unusable(reason: BackendReason, message: string): Unusable {
  return { kind: "unusable", reason, message };
}

/**
 * The ready ones; when none is, those that still serve while they end (KEP-1669). Of these the ones for the gateway's zone, if every
 * one has hints and some are for it (KEP-2433, `trafficDistribution`). Each address once, in a stable order.
 */
function endpointsOf(port: ServicePort, slices: readonly EndpointSlice[], zone: string | undefined): readonly BackendEndpoint[] {
  const ready = collect(port, slices, ({ conditions }) => conditions?.ready !== false);
  const all =
    ready.length > 0 ? ready : collect(port, slices, ({ conditions }) => conditions?.serving === true && conditions.terminating === true);
  return (zone === undefined ? all : near(all, zone)).map(({ address }) => address);
}

function near(all: readonly Collected[], zone: string): readonly Collected[] {
  if (!all.every(({ zones }) => zones.length > 0)) return all;
  const own = all.filter(({ zones }) => zones.includes(zone));
  return own.length > 0 ? own : all;
}

/** A pod with two addresses is one endpoint: the slices of one family are enough, the Service's first one that has any. */
function ofOneFamily(service: Service, slices: readonly EndpointSlice[]): readonly EndpointSlice[] {
  const families = service.spec?.ipFamilies ?? [];
  const family = families.find((each) => slices.some(({ addressType, endpoints }) => addressType === each && (endpoints?.length ?? 0) > 0));
  return family === undefined ? slices : slices.filter(({ addressType }) => addressType === family);
}

interface Collected {
  readonly address: BackendEndpoint;
  /** Of its hints. */
  readonly zones: readonly string[];
}

function collect(port: ServicePort, slices: readonly EndpointSlice[], usable: (endpoint: Endpoint) => boolean): readonly Collected[] {
  const found = new Map<string, Collected>();
  for (const { addressType, endpoints, ports } of slices) {
    const number = ports?.find(({ name }) => (name ?? "") === (port.name ?? ""))?.port;
    if (number === undefined || addressType === "FQDN") continue;
    for (const endpoint of endpoints ?? []) {
      const { zone, hints } = endpoint;
      const [ip] = endpoint.addresses;
      if (ip === undefined || !usable(endpoint)) continue;
      const address = { ip, port: number, ...(zone === undefined ? {} : { zone }) };
      found.set(`${ip} ${number}`, { address, zones: (hints?.forZones ?? []).map(({ name }) => name) });
    }
  }
  return [...found.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}
