/** Reads the cluster through its API and puts together what a report says of it. */
import { endpointSlices, events, ingresses, nodes, pods, services } from "../api/resources.ts";
import type { EndpointSlice, Event, Ingress, Node, Pod, Service } from "../api/types.ts";
import { objectKey, type KubeObject } from "../api/object.ts";
import { joinHostPort } from "../lib/ip.ts";
import { tableOf } from "../api/table.ts";
import { podKind } from "../api/kinds/pods.ts";
import type { Client } from "../client/client.ts";
import type { ClusterReport, NameRow, NodeRow, OpenRow, PodRow, RequestRow, ServiceRow } from "./report.ts";

/** One reading of everything that a report needs. */
export interface Reading {
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly events: readonly Event[];
  readonly ingresses: readonly Ingress[];
}

export async function read(client: Client): Promise<Reading> {
  const [nodeList, podList, serviceList, sliceList, eventList, ingressList] = await Promise.all([
    client.list(nodes),
    client.list(pods),
    client.list(services),
    client.list(endpointSlices),
    client.list(events),
    client.list(ingresses),
  ]);
  return {
    nodes: nodeList.items,
    pods: podList.items,
    services: serviceList.items,
    slices: sliceList.items,
    events: eventList.items,
    ingresses: ingressList.items,
  };
}

/** Namespaces that belong to the system and are left out of a report unless asked for. */
const systemNamespaces = new Set(["kube-system", "kube-public", "kube-node-lease"]);

export function isOfUser(object: KubeObject): boolean {
  const { namespace = "", name } = object.metadata;
  return !systemNamespaces.has(namespace) && !(namespace === "default" && name === "kubernetes");
}

function sorted<T extends KubeObject>(objects: readonly T[]): readonly T[] {
  return [...objects].sort((a, b) => (objectKey(a) < objectKey(b) ? -1 : 1));
}

export function nodeRows({ nodes: list }: Reading): readonly NodeRow[] {
  return list.map((node) => ({
    name: node.metadata.name ?? "",
    ready: hasCondition(node.status?.conditions, "Ready"),
    address: node.status?.addresses?.find(({ type }) => type === "InternalIP")?.address ?? "",
    podCIDR: node.spec?.podCIDR ?? "",
  }));
}

export function podRows({ pods: list }: Reading, now: number): readonly PodRow[] {
  return sorted(list.filter(isOfUser)).map((pod) => ({
    namespace: pod.metadata.namespace ?? "",
    name: pod.metadata.name ?? "",
    ready: isPodReady(pod),
    status: podStatus(pod, now),
    ip: pod.status?.podIP ?? "",
    node: pod.spec?.nodeName ?? "",
  }));
}

/** The STATUS column of `kubectl get pods`. */
export function podStatus(pod: Pod, now: number): string {
  const column = podKind.columns.findIndex(({ name }) => name === "Status");
  return String(tableOf(podKind, [pod], { now }).rows[0]?.cells[column] ?? "");
}

export function isPodReady(pod: Pod): boolean {
  return hasCondition(pod.status?.conditions, "Ready");
}

function hasCondition(conditions: readonly { readonly type: string; readonly status: string }[] | undefined, type: string): boolean {
  return conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;
}

export function serviceRows(reading: Reading): readonly ServiceRow[] {
  return sorted(reading.services.filter(isOfUser)).map((service) => ({
    namespace: service.metadata.namespace ?? "",
    name: service.metadata.name ?? "",
    type: service.spec?.type ?? "",
    clusterIP: service.spec?.clusterIP ?? "",
    ports: (service.spec?.ports ?? []).map(portText),
    endpoints: service.spec?.type === "ExternalName" ? [service.spec.externalName ?? ""] : readyEndpoints(reading, service),
  }));
}

function portText({
  name,
  port,
  protocol,
  nodePort,
}: {
  readonly name?: string | undefined;
  readonly port: number;
  readonly protocol?: string | undefined;
  readonly nodePort?: number | undefined;
}): string {
  return `${name === undefined ? "" : `${name} `}${port}${nodePort === undefined ? "" : `:${nodePort}`}/${protocol ?? "TCP"}`;
}

export function slicesOf({ slices }: Pick<Reading, "slices">, service: Service): readonly EndpointSlice[] {
  return slices.filter(
    ({ metadata }) =>
      metadata.namespace === service.metadata.namespace && metadata.labels?.["kubernetes.io/service-name"] === service.metadata.name,
  );
}

/** `address:port` of what is ready, in order; of one port only if its name is given. */
export function readyEndpoints(reading: Pick<Reading, "slices">, service: Service, portName?: string): readonly string[] {
  const found = slicesOf(reading, service).flatMap((slice) =>
    (slice.ports ?? [])
      .filter(({ name }) => portName === undefined || (name ?? "") === portName)
      .flatMap(({ port }) =>
        (slice.endpoints ?? [])
          .filter(({ conditions }) => conditions?.ready !== false)
          .flatMap(({ addresses }) => addresses.map((address) => (port === undefined ? address : joinHostPort(address, port)))),
      ),
  );
  return [...new Set(found)].sort();
}

/** Where the host finds a virtual address: at that port, at a stand-in, or nowhere. */
export type ListensAt = (address: string, port: number) => number | undefined;

/** How a program on this machine reaches each Service. Only addresses in 127.0.0.0/8 are the host's own. */
export function openRows(reading: Reading, listensAt: ListensAt): readonly OpenRow[] {
  const nodes = reading.nodes.flatMap((node) => hostAddress(node) ?? []);
  const own = reading.services.filter((service) => isOfUser(service) && service.spec?.type !== "ExternalName");
  return sorted(own).flatMap((service) => {
    const { clusterIP = "", externalIPs = [] } = service.spec ?? {};
    const balancers = (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
    return (service.spec?.ports ?? []).flatMap((port) => {
      const direct = [clusterIP, ...balancers, ...externalIPs]
        .filter((address) => address.startsWith("127."))
        .map((address) => [address, port.port] as const);
      const byNode = port.nodePort === undefined ? [] : nodes.map((address) => [address, port.nodePort as number] as const);
      const name = `${objectKey(service)}${port.name === undefined ? "" : ` ${port.name}`}`;
      const scheme = isHttp(port) ? "http://" : port.protocol === "UDP" ? "udp://" : "";
      return [...direct, ...byNode].flatMap(([address, at]) => {
        const open = listensAt(address, at);
        return open === undefined ? [] : [{ service: name, url: `${scheme}${joinHostPort(address, open)}` }];
      });
    });
  });
}

/**
 * What a browser on this machine may open: a row for each host and path of an Ingress that our gateway serves (it writes its two ports,
 * HTTP and HTTPS, into the status). `*.localhost` is this machine without any set-up (RFC 6761 6.3).
 */
export function ingressRows({ ingresses: list }: Pick<Reading, "ingresses">): readonly OpenRow[] {
  return sorted(list).flatMap((ingress) => {
    const [address] = ingress.status?.loadBalancer?.ingress ?? [];
    const [http, https] = address?.ports ?? [];
    if (address === undefined || http === undefined || https === undefined) return [];
    const secure = new Set((ingress.spec?.tls ?? []).flatMap(({ hosts }) => hosts ?? []));
    return (ingress.spec?.rules ?? []).flatMap(({ host = address.ip ?? "", http: rule }) => {
      const [scheme, { port }, usual] = secure.has(host) ? (["https", https, 443] as const) : (["http", http, 80] as const);
      return (rule?.paths ?? []).map(({ path = "/" }) => ({
        service: `${objectKey(ingress)} (Ingress)`,
        url: `${scheme}://${host}${port === usual ? "" : `:${port}`}${path}`,
      }));
    });
  });
}

/** The address by which the host reaches a node. */
function hostAddress({ status }: Node): string | undefined {
  const of = (type: string) => status?.addresses?.find((address) => address.type === type)?.address;
  return [of("ExternalIP"), of("InternalIP")].find((address) => address?.startsWith("127."));
}

/** Whether a Service port says that it speaks HTTP: by appProtocol, by its name (`http`, `web`, `http-…`), or by port 80 or 8080. */
export function isHttp(port: {
  readonly name?: string | undefined;
  readonly port: number;
  readonly protocol?: string | undefined;
  readonly appProtocol?: string | undefined;
}): boolean {
  if ((port.protocol ?? "TCP") !== "TCP") return false;
  if (port.appProtocol !== undefined) return port.appProtocol === "http";
  return /^(http|web)(-|$)/.test(port.name ?? "") || (port.name === undefined && (port.port === 80 || port.port === 8080));
}

/** Warning events of the user's objects that are still there, one line each, repeats counted. */
export function warningLines(reading: Reading): readonly string[] {
  const mine = new Set([...reading.pods, ...reading.services].filter(isOfUser).map(({ metadata }) => metadata.uid));
  return reading.events
    .filter(({ type, involvedObject: { kind, uid, namespace } }) => {
      if (type !== "Warning" || systemNamespaces.has(namespace ?? "")) return false;
      return (kind === "Pod" || kind === "Service") && uid !== undefined ? mine.has(uid) : true;
    })
    .map(({ involvedObject: { kind, namespace, name }, reason, message, count }) => {
      const times = (count ?? 1) > 1 ? ` (${count} times)` : "";
      return `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}: ${reason}: ${message}${times}`;
    });
}

/** Services whose selector finds nothing that is ready. */
export function emptyServices(reading: Reading): readonly Service[] {
  return reading.services.filter(
    (service) =>
      isOfUser(service) &&
      Object.keys(service.spec?.selector ?? {}).length > 0 &&
      service.spec?.type !== "ExternalName" &&
      readyEndpoints(reading, service).length === 0,
  );
}

/** Why containers of pods that are not ready do not run, in their runtime's words. */
export function waitingLines(reading: Reading): readonly string[] {
  return reading.pods
    .filter((pod) => isOfUser(pod) && !isPodReady(pod))
    .flatMap((pod) =>
      [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].flatMap(({ name, state, lastState }) => {
        const why = state?.waiting?.message ?? state?.terminated?.message ?? lastState?.terminated?.message;
        const reason = state?.waiting?.reason ?? state?.terminated?.reason ?? "";
        return why === undefined || why === "" ? [] : [`Pod ${objectKey(pod)}, container ${name}: ${reason}: ${why}`];
      }),
    );
}

/** Who a report is about. */
export type ClusterIdentity = Pick<ClusterReport, "name" | "version" | "mode" | "server" | "kubeconfig" | "console">;

/** What only the process that runs the cluster knows; `status` reads through the API and leaves it out. */
export interface Inside {
  readonly requests: readonly RequestRow[];
  readonly names: readonly NameRow[];
  readonly listensAt: ListensAt;
  /** Of the manifests: refused ones and the API's warnings. */
  readonly manifests: readonly string[];
  /** What this mode cannot do for what was asked. */
  readonly limits: readonly string[];
}

const outside: Inside = { requests: [], names: [], listensAt: (_, port) => port, manifests: [], limits: [] };

export function reportOf(
  { name, version, mode, server, kubeconfig, console: url }: ClusterIdentity,
  reading: Reading,
  inside: Inside = outside,
): ClusterReport {
  const empty = emptyServices(reading).map(
    ({ metadata }) =>
      `Service ${metadata.namespace}/${metadata.name} has no endpoints: fairlead explain svc ${metadata.name} -n ${metadata.namespace}`,
  );
  return {
    apiVersion: "fairlead.dev/v1alpha1",
    kind: "ClusterReport",
    name,
    version,
    mode,
    server,
    kubeconfig,
    ...(url === undefined ? {} : { console: url }),
    nodes: nodeRows(reading),
    pods: podRows(reading, Date.now()),
    services: serviceRows(reading),
    requests: inside.requests,
    names: inside.names,
    open: [...ingressRows(reading), ...openRows(reading, inside.listensAt)],
    problems: [...inside.manifests, ...empty, ...waitingLines(reading), ...inside.limits, ...warningLines(reading)],
  };
}
