/**
 * Why a Service has the endpoints that it has: each pod with a reason code, and what would have to be otherwise. Uses the
 * very functions by which the controllers decide, over a snapshot; so it runs anywhere, also against a real cluster.
 *
 * Reason codes of pods: `endpoints/reasons.ts`. Findings about the Service as a whole: `findings` below.
 */
import { keyOf } from "../../api/object.ts";
import type { EndpointSlice, Event, Node, Pod, Service } from "../../api/types.ts";
import { serviceNameLabel } from "../endpoints/names.ts";
import { endpointReasons, serviceReasons, type EndpointPlace, type EndpointReason } from "../endpoints/reasons.ts";
import { isHeadless, missingPortsText, selectEndpoints, type Selection } from "../endpoints/select.ts";
import { consequences } from "./consequences.ts";
import { counterfactuals } from "./counterfactuals.ts";
import { comparePods, publishedEndpoints, usableSlices } from "./published.ts";
import { readinessDetail } from "./readiness.ts";

/** What `explainService` reads; a `Snapshot` (snapshot.ts) is one. */
export interface ServiceSnapshot {
  readonly services: readonly Service[];
  readonly pods: readonly Pod[];
  readonly endpointSlices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
  readonly events?: readonly Event[];
}

/** code → what it says about the Service. Stable, as the codes of pods. */
export const findings = {
  NotFound: "there is no Service of that name in the namespace",
  ExternalName: serviceReasons.ExternalName,
  NoSelector: serviceReasons.NoSelector,
  SelectsNothing: "no pod of the namespace matches the selector",
  NoneReady: "pods match, but none is ready",
  SomeNotReady: "some of the pods that match are not ready",
  AllReady: "all pods that match are ready",
  SlicesBehind: "the EndpointSlices do not say yet what the pods' state calls for",
} as const satisfies Readonly<Record<string, string>>;

export type Finding = keyof typeof findings;

export interface PodExplanation {
  readonly name: string;
  readonly phase: string;
  readonly node: string;
  readonly addresses: readonly string[];
  readonly place: EndpointPlace;
  readonly reason: EndpointReason;
  /** For people; what exactly is so. */
  readonly detail: string;
  /** Ports of the Service that this pod lacks, for people; empty when it has all. */
  readonly missingPorts: string;
}

export interface PortExplanation {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly targetPort: string;
  readonly nodePort?: number;
}

export interface ServiceExplanation {
  readonly namespace: string;
  readonly name: string;
  /** The Service can be used: it has a ready endpoint, or needs none. */
  readonly ok: boolean;
  readonly finding: Finding;
  /** The verdict as a sentence. */
  readonly verdict: string;
  readonly type: string;
  readonly clusterIPs: readonly string[];
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly PortExplanation[];
  /** Pods that match the selector, then others of the namespace only if none does and they come close. */
  readonly pods: readonly PodExplanation[];
  /** `address:port` of ready endpoints, as the EndpointSlices have them now. */
  readonly endpoints: readonly string[];
  /** What to change, and what would then be so. */
  readonly hints: readonly string[];
  /** What clients see now. */
  readonly consequences: readonly string[];
  /** Warning Events about the Service and the pods above, newest first: `Unhealthy web-1: Readiness probe failed …`. */
  readonly events: readonly string[];
}

export function explainService(snapshot: ServiceSnapshot, namespace: string, name: string): ServiceExplanation {
  const service = snapshot.services.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  if (service === undefined) return notFound(snapshot, namespace, name);
  const nodesByName = new Map(snapshot.nodes.map((node) => [node.metadata.name ?? "", node]));
  const inNamespace = snapshot.pods.filter(({ metadata }) => metadata.namespace === namespace);
  const selection = selectEndpoints(service, inNamespace, (node) => nodesByName.get(node));
  const pods = explainPods(selection);
  const slices = usableSlices(
    service,
    snapshot.endpointSlices.filter(({ metadata }) => metadata.namespace === namespace && metadata.labels?.[serviceNameLabel] === name),
  );
  const endpoints = publishedEndpoints(slices);
  const behind = selection.reason === undefined && comparePods(slices, pods);
  const finding = findingOf(selection, pods, behind);
  const shown = pods.filter(({ reason }) => reason !== "LabelMismatch");
  return {
    ...describe(service),
    ok: finding === "ExternalName" || endpoints.length > 0,
    finding,
    verdict: verdictOf(service, finding, shown, endpoints),
    pods: shown,
    endpoints,
    hints: counterfactuals(service, inNamespace, selection, snapshot.pods),
    consequences: consequences(service, endpoints),
    events: warnings(snapshot.events ?? [], namespace, [name, ...shown.map((pod) => pod.name)]),
  };
}

function describe(service: Service): Pick<ServiceExplanation, "namespace" | "name" | "type" | "clusterIPs" | "selector" | "ports"> {
  const { type = "ClusterIP", clusterIPs, clusterIP, selector = {}, ports = [] } = service.spec ?? {};
  return {
    namespace: service.metadata.namespace ?? "",
    name: service.metadata.name ?? "",
    type,
    clusterIPs: clusterIPs ?? (clusterIP === undefined ? [] : [clusterIP]),
    selector,
    ports: ports.map(({ name = "", port, protocol = "TCP", targetPort, nodePort }) => ({
      name,
      port,
      protocol,
      targetPort: String(targetPort ?? port),
      ...(nodePort === undefined ? {} : { nodePort }),
    })),
  };
}

function explainPods(selection: Selection): readonly PodExplanation[] {
  const missing = new Map(selection.missingPorts.map(({ pod, missing: ports }) => [pod, missingPortsText(ports)]));
  const seen = new Set<Pod>();
  const listed = selection.endpoints.flatMap(({ pod, reason }) => {
    // A pod with addresses of both families is one endpoint in each: told once.
    if (seen.has(pod)) return [];
    seen.add(pod);
    const missingPorts = missing.get(pod) ?? "";
    return [explainPod(pod, reason, reason === "NamedPortMissing" ? missingPorts : readinessDetail(pod, reason), missingPorts)];
  });
  const leftOut = selection.leftOut.map(({ pod, reason, detail }) => explainPod(pod, reason, detail, ""));
  return [...listed, ...leftOut].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function explainPod(pod: Pod, reason: EndpointReason, detail: string, missingPorts: string): PodExplanation {
  const { podIPs = [], podIP } = pod.status ?? {};
  return {
    name: pod.metadata.name ?? "",
    phase: pod.status?.phase ?? "Pending",
    node: pod.spec?.nodeName ?? "",
    addresses: podIPs.length > 0 ? podIPs.map(({ ip }) => ip) : podIP === undefined ? [] : [podIP],
    place: endpointReasons[reason].place,
    reason,
    detail,
    missingPorts,
  };
}

function findingOf({ reason }: Selection, pods: readonly PodExplanation[], behind: boolean): Finding {
  if (reason !== undefined) return reason;
  const matching = pods.filter((pod) => pod.reason !== "LabelMismatch");
  if (matching.length === 0) return "SelectsNothing";
  const ready = matching.filter(({ place }) => place === "ready").length;
  if (ready === 0) return "NoneReady";
  if (behind) return "SlicesBehind";
  return ready === matching.length ? "AllReady" : "SomeNotReady";
}

function verdictOf(service: Service, finding: Finding, pods: readonly PodExplanation[], endpoints: readonly string[]): string {
  const id = keyOf(service.metadata.namespace, service.metadata.name ?? "");
  const ready = pods.filter(({ place }) => place === "ready").length;
  switch (finding) {
    case "ExternalName":
      return `${id} is an alias for ${service.spec?.externalName}: it has no endpoints and needs none.`;
    case "NoSelector":
      return endpoints.length > 0
        ? `${id} has no selector; ${count(endpoints.length, "endpoint")} written for it by hand.`
        : `${id} has no selector and no ready endpoint: write an Endpoints or EndpointSlice object for it.`;
    case "SelectsNothing":
      return `${id} has no endpoints: no pod matches ${selectorText(service)}.`;
    case "NoneReady":
      return `${id} has no ready endpoint: ${count(pods.length, "pod")} matched ${selectorText(service)}, none ready.`;
    case "SomeNotReady":
    case "AllReady":
      return `${id} sends traffic to ${ready} of ${count(pods.length, "pod")} matching ${selectorText(service)}${isHeadless(service) ? "; it is headless: clients get the pods' addresses from DNS" : ""}.`;
    case "SlicesBehind":
      return `${id} should send traffic to ${ready} of ${count(pods.length, "pod")}, but its EndpointSlices do not say so yet.`;
    case "NotFound":
      return `There is no Service ${id}.`;
    default:
      return finding satisfies never;
  }
}

export function selectorText({ spec }: Service): string {
  return Object.entries(spec?.selector ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;

function warnings(events: readonly Event[], namespace: string, names: readonly string[]): readonly string[] {
  const wanted = new Set(names);
  const timeOf = ({ lastTimestamp, eventTime, firstTimestamp }: Event) => lastTimestamp ?? eventTime ?? firstTimestamp ?? "";
  return events
    .filter(
      ({ type, involvedObject }) => type === "Warning" && involvedObject.namespace === namespace && wanted.has(involvedObject.name ?? ""),
    )
    .sort((a, b) => timeOf(b).localeCompare(timeOf(a)))
    .slice(0, 10)
    .map(
      ({ reason, involvedObject, message, count: times = 1 }) =>
        `${reason} ${involvedObject.name}: ${message}${times > 1 ? ` (${times} times)` : ""}`,
    );
}

function notFound(snapshot: ServiceSnapshot, namespace: string, name: string): ServiceExplanation {
  const elsewhere = snapshot.services.filter(({ metadata }) => metadata.name === name).map(({ metadata }) => metadata.namespace);
  const here = snapshot.services.filter(({ metadata }) => metadata.namespace === namespace).map(({ metadata }) => metadata.name);
  const hints = [
    ...elsewhere.map((other) => `A Service ${name} is in namespace ${other}.`),
    ...(elsewhere.length === 0 && here.length > 0 ? [`Namespace ${namespace} has the Services ${here.join(", ")}.`] : []),
  ];
  const empty = { type: "", clusterIPs: [], selector: {}, ports: [], pods: [], endpoints: [], events: [] };
  const verdict = `There is no Service ${keyOf(namespace, name)}.`;
  return {
    namespace,
    name,
    ok: false,
    finding: "NotFound",
    verdict,
    ...empty,
    hints,
    consequences: [`The name ${name}.${namespace}.svc does not resolve (NXDOMAIN).`],
  };
}
