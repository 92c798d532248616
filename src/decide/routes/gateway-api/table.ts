/** Gateways and the routes that belong to them as listeners of the route table: one for each port of each Gateway. */
import type { HostRoute } from "../ingress.ts";
import { compareText, mergeHost } from "../merge.ts";
import type { CertificateRef, Listener, ListenerSection, StreamListener, StreamRoute, StreamSection, VirtualHost } from "../route-table.ts";
import type { GatewayPlan } from "./gateway.ts";
import type { ClientValidation, NamedObject, PlannedListener } from "./listeners.ts";
import type { RouteAttachment } from "./route.ts";

/** A port that a Gateway wants to listen on. */
export interface GatewayPort {
  /** Unique: `shop/edge:443/tcp`. */
  readonly name: string;
  /** Of the Gateway. */
  readonly gateway: string;
  readonly port: number;
  readonly protocol: "HTTP" | "HTTPS" | "TLS" | "TCP" | "UDP";
  readonly listeners: readonly PlannedListener[];
  /** Of clients over TLS. */
  readonly clients: ClientValidation | undefined;
  readonly backendCertificate: NamedObject | undefined;
}

export function portName(gateway: string, { protocol, spec }: Pick<PlannedListener, "protocol" | "spec">): string {
  return `${gateway}:${spec.port}/${protocol === "UDP" ? "udp" : "tcp"}`;
}

/** Whether there is anything that it could do. */
export function isServable({ accepted, mode, certificates, kinds }: PlannedListener): boolean {
  return accepted.status === "True" && kinds.length > 0 && (mode !== "terminate" || certificates.length > 0);
}

export function gatewayPorts({ key, listeners, backendCertificate, refused }: GatewayPlan): readonly GatewayPort[] {
  if (refused !== undefined) return [];
  const byName = Map.groupBy(listeners.filter(isServable), (listener) => portName(key, listener));
  return [...byName].map(([name, all]) => {
    const [first] = all as [PlannedListener];
    const protocol = all.some((each) => each.protocol === "TLS") ? "TLS" : (first.protocol ?? "HTTP");
    return {
      name,
      gateway: key,
      port: first.spec.port,
      protocol,
      listeners: all,
      clients: all.find(({ clients }) => clients)?.clients,
      backendCertificate,
    };
  });
}

export function httpListener(port: GatewayPort, hostsOf: (id: string) => readonly VirtualHost[]): Listener | undefined {
  const own = port.listeners.filter(({ protocol }) => protocol === "HTTP" || protocol === "HTTPS");
  if (own.length === 0) return undefined;
  const sections = own.map(({ id, host }): ListenerSection => ({ name: id, host, virtualHosts: hostsOf(id) }));
  return {
    name: port.name,
    protocol: own[0]?.protocol === "HTTPS" ? "HTTPS" : "HTTP",
    virtualHosts: [],
    sections,
    certificates: port.listeners.flatMap(certificateRefs),
  };
}

export function streamListener(port: GatewayPort, routesOf: (id: string) => readonly StreamRoute[]): StreamListener | undefined {
  if (port.protocol === "HTTP" || port.protocol === "HTTPS") return undefined;
  const own = port.listeners.filter(({ protocol }) => protocol !== "HTTP" && protocol !== "HTTPS");
  const sections = own.map(({ id, host, mode }): StreamSection => ({ name: id, host, tls: mode, routes: routesOf(id) }));
  return { name: port.name, protocol: port.protocol, sections };
}

function certificateRefs({ certificates, owner, spec, host, mode }: PlannedListener): readonly CertificateRef[] {
  if (mode !== "terminate") return [];
  const source = { kind: owner.kind, namespace: owner.namespace, name: owner.name, field: `spec.listeners[${spec.name}].tls` } as const;
  return certificates.map(({ namespace, name }) => ({ host, source, certificate: { kind: "secret", namespace, name } }));
}

/** The routes of one host of one listener, in the order in which they win. */
export function sectionHost(host: string, routes: readonly HostRoute[]): VirtualHost {
  return mergeHost(host, routes).virtualHost;
}

/** Of several routes below HTTP for one host the oldest wins; the schema does not let them share. */
export function sectionStreams(
  attachments: readonly { readonly created: string; readonly attachment: RouteAttachment }[],
): readonly StreamRoute[] {
  const ordered = attachments.toSorted((a, b) => compareText(a.created, b.created));
  const kept = new Map<string, StreamRoute>();
  for (const { attachment } of ordered) for (const stream of attachment.streams) if (!kept.has(stream.host)) kept.set(stream.host, stream);
  return [...kept.values()];
}
