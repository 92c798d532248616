/** From a backend of a route to the addresses behind it: the Service's port, then the endpoints, past any proxy. */
import type { Endpoint, EndpointSlice, Service, ServicePort } from "../../api/types.ts";
import type { RouteReason } from "./reasons.ts";
import type { BackendPort, BackendRef } from "./route-table.ts";

export interface BackendEndpoint {
  readonly ip: string;
  readonly port: number;
  readonly zone?: string;
}

export type Backend =
  | { readonly kind: "endpoints"; readonly endpoints: readonly BackendEndpoint[] }
  | { readonly kind: "unusable"; readonly reason: BackendReason; readonly message: string };

export type BackendReason = Extract<
  RouteReason,
  "ServiceNotFound" | "ServicePortNotFound" | "ExternalName" | "PortProtocol" | "AppProtocol" | "NoEndpoints"
>;

type Unusable = Extract<Backend, { kind: "unusable" }>;

export function resolveBackend(ref: BackendRef, service: Service | undefined, slices: readonly EndpointSlice[]): Backend {
  const port = servicePort(ref, service);
  if ("kind" in port) return port;
  const endpoints = endpointsOf(port, ofOneFamily(service as Service, slices));
  if (endpoints.length > 0) return { kind: "endpoints", endpoints };
  return unusable("NoEndpoints", `Service ${ref.namespace}/${ref.name} has no ready endpoint for port ${portText(ref.port)}`);
}

/** What can be said without looking at endpoints. */
export function servicePort(ref: BackendRef, service: Service | undefined): ServicePort | Unusable {
  const name = `Service ${ref.namespace}/${ref.name}`;
  if (service === undefined) return unusable("ServiceNotFound", `${name} does not exist`);
  if (service.spec?.type === "ExternalName") return unusable("ExternalName", `${name} is of type ExternalName, which is not followed`);
  const ports = service.spec?.ports ?? [];
  const port = ports.find((each) => matchesPort(ref.port, each));
  if (port === undefined) {
    return unusable(
      "ServicePortNotFound",
      `${name} has no port ${portText(ref.port)}; it has ${ports.map(describePort).join(", ") || "none"}`,
    );
  }
  if ((port.protocol ?? "TCP") !== "TCP")
    return unusable("PortProtocol", `${name} port ${portText(ref.port)} is ${port.protocol}, not TCP`);
  if (!spoken(port.appProtocol)) {
    return unusable(
      "AppProtocol",
      `${name} port ${portText(ref.port)} wants appProtocol ${JSON.stringify(port.appProtocol)}, which is not spoken`,
    );
  }
  return port;
}

/** KEP-3726 (`kubernetes.io/…`) and the older names. WebSockets need no say: every backend may upgrade. */
function spoken(appProtocol: string | undefined): boolean {
  return !["kubernetes.io/h2c", "kubernetes.io/wss", "https", "grpc", "h2c"].includes(appProtocol?.toLowerCase() ?? "");
}

function matchesPort(wanted: BackendPort, port: ServicePort): boolean {
  return wanted.kind === "number" ? port.port === wanted.number : port.name === wanted.name;
}

export function portText(port: BackendPort): string {
  return port.kind === "number" ? String(port.number) : JSON.stringify(port.name);
}

function describePort({ port, name }: ServicePort): string {
  return name === undefined || name === "" ? String(port) : `${port} (${name})`;
}

function unusable(reason: BackendReason, message: string): Unusable {
  return { kind: "unusable", reason, message };
}

/** The ready ones; when none is, those that still serve while they end (KEP-1669). Each address once, in a stable order. */
function endpointsOf(port: ServicePort, slices: readonly EndpointSlice[]): readonly BackendEndpoint[] {
  const ready = collect(port, slices, (conditions) => conditions?.ready !== false);
  return ready.length > 0 ? ready : collect(port, slices, (conditions) => conditions?.serving === true && conditions.terminating === true);
}

/** A pod with two addresses is one endpoint: the slices of one family are enough, the Service's first one that has any. */
function ofOneFamily(service: Service, slices: readonly EndpointSlice[]): readonly EndpointSlice[] {
  const families = service.spec?.ipFamilies ?? [];
  const family = families.find((each) => slices.some(({ addressType, endpoints }) => addressType === each && (endpoints?.length ?? 0) > 0));
  return family === undefined ? slices : slices.filter(({ addressType }) => addressType === family);
}

type Conditions = Endpoint["conditions"];

function collect(
  port: ServicePort,
  slices: readonly EndpointSlice[],
  usable: (conditions: Conditions) => boolean,
): readonly BackendEndpoint[] {
  const found = new Map<string, BackendEndpoint>();
  for (const { addressType, endpoints, ports } of slices) {
    const number = ports?.find(({ name }) => (name ?? "") === (port.name ?? ""))?.port;
    if (number === undefined || addressType === "FQDN") continue;
    for (const { addresses, conditions, zone } of endpoints ?? []) {
      const [ip] = addresses;
      if (ip !== undefined && usable(conditions))
        found.set(`${ip} ${number}`, { ip, port: number, ...(zone === undefined ? {} : { zone }) });
    }
  }
  return [...found.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
}
