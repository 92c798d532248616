/**
 * From a Service and pods to endpoints: every pod gets exactly one verdict with a reason code, and so it can always be
 * said why a pod is an endpoint or is not (upstream `endpointslice/utils.go` `podToEndpoint`, `ShouldPodBeInEndpoints`).
 */
import type { DiscoveryEndpointPort, Endpoint, Node, Pod, Service } from "../../api/types.ts";
import type { EndpointReason, ServiceReason } from "./reasons.ts";
import { isPodFinished, isPodReady, isPodTerminating, podAddresses, podAddressesOf, type AddressType } from "./pod-state.ts";
import { podPorts, type MissingPort } from "./ports.ts";

export interface SelectedEndpoint {
  readonly pod: Pod;
  readonly addressType: AddressType;
  readonly endpoint: Endpoint;
  /** The pod's numbers behind the Service's ports; pods with unlike ports go into slices of their own. */
  readonly ports: readonly DiscoveryEndpointPort[];
  readonly reason: EndpointReason;
}

export interface LeftOut {
  readonly pod: Pod;
  readonly reason: EndpointReason;
  /** For people: `label app is "webapp", the selector wants "web"`. */
  readonly detail: string;
}

export interface Selection {
  /** IP families of the Service, the primary one first; empty with `reason`. */
  readonly addressTypes: readonly AddressType[];
  readonly endpoints: readonly SelectedEndpoint[];
  readonly leftOut: readonly LeftOut[];
  /** Pods that are endpoints, but of fewer ports than the Service has. */
  readonly missingPorts: readonly { readonly pod: Pod; readonly missing: readonly MissingPort[] }[];
  /** Why nothing was selected at all. */
  readonly reason?: ServiceReason;
}

/** Looks a node up by name: a lister, or a Map's `get`. */
export type NodeLookup = (name: string) => Node | undefined;

export function selectEndpoints(service: Service, pods: readonly Pod[], node: NodeLookup): Selection {
  const reason = noEndpointsReason(service);
  if (reason !== undefined) return { addressTypes: [], endpoints: [], leftOut: [], missingPorts: [], reason };
  const addressTypes = addressTypesOf(service);
  const endpoints: SelectedEndpoint[] = [];
  const leftOut: LeftOut[] = [];
  const missingPorts: { pod: Pod; missing: readonly MissingPort[] }[] = [];
  for (const pod of pods) {
    const judged = judge(service, pod, addressTypes, node);
    if (judged.kind === "out") {
      leftOut.push(judged.leftOut);
      continue;
    }
    if (judged.missing.length > 0) missingPorts.push({ pod, missing: judged.missing });
    endpoints.push(...judged.endpoints);
  }
  return { addressTypes, endpoints, leftOut, missingPorts };
}

type Judged =
  | { readonly kind: "out"; readonly leftOut: LeftOut }
  | { readonly kind: "in"; readonly endpoints: readonly SelectedEndpoint[]; readonly missing: readonly MissingPort[] };

/** Objects are frozen; of a Service's thousands of pods one has changed since the last time. */
const judgedBefore = new WeakMap<Service, WeakMap<Pod, { readonly node: Node | undefined; readonly judged: Judged }>>();

function judge(service: Service, pod: Pod, addressTypes: readonly AddressType[], node: NodeLookup): Judged {
  let ofService = judgedBefore.get(service);
  if (ofService === undefined) judgedBefore.set(service, (ofService = new WeakMap()));
  const at = node(pod.spec?.nodeName ?? "");
  const before = ofService.get(pod);
  if (before !== undefined && before.node === at) return before.judged;
  const judged = judgeAnew(service, pod, addressTypes, at);
  ofService.set(pod, { node: at, judged });
  return judged;
}

function judgeAnew(service: Service, pod: Pod, addressTypes: readonly AddressType[], node: Node | undefined): Judged {
  const out = whyLeftOut(service, pod, addressTypes, node);
  if (out !== undefined) return { kind: "out", leftOut: { pod, ...out } };
  const { ports, missing } = podPorts(service, pod);
  const endpoints = addressTypes.flatMap((addressType): SelectedEndpoint[] => {
    const addresses = podAddressesOf(pod, addressType);
    if (addresses.length === 0) return [];
    const reason = ports.length === 0 && missing.length > 0 ? "NamedPortMissing" : readinessReason(service, pod);
    return [{ pod, addressType, ports, reason, endpoint: endpointOf(service, pod, addresses, node) }];
  });
  return { kind: "in", endpoints, missing };
}

/** Undefined when the controllers make this Service's endpoints from pods. */
export function noEndpointsReason(service: Service): ServiceReason | undefined {
  if (service.spec?.type === "ExternalName") return "ExternalName";
  // As upstream: an absent selector means "endpoints come from elsewhere"; an empty one cannot be told apart in JSON.
  if (service.spec?.selector === undefined || Object.keys(service.spec.selector).length === 0) return "NoSelector";
  return undefined;
}

/** The families of a Service's slices, the primary one first. */
export function addressTypesOf(service: Service): readonly AddressType[] {
  const families = (service.spec?.ipFamilies ?? []).filter((family): family is AddressType => family === "IPv4" || family === "IPv6");
  if (families.length > 0) return families;
  return service.spec?.clusterIP?.includes(":") ? ["IPv6"] : ["IPv4"];
}

export function isHeadless(service: Service): boolean {
  return service.spec?.clusterIP === "None";
}

type Verdict = Omit<LeftOut, "pod">;

function whyLeftOut(service: Service, pod: Pod, addressTypes: readonly AddressType[], node: Node | undefined): Verdict | undefined {
  const mismatch = selectorMismatch(service.spec?.selector ?? {}, pod);
  if (mismatch !== undefined) return { reason: "LabelMismatch", detail: mismatch };
  if (isPodFinished(pod)) return { reason: "PodFinished", detail: `phase is ${pod.status?.phase}` };
  const addresses = podAddresses(pod);
  if (addresses.length === 0) return { reason: "NoPodIP", detail: `no address yet; phase is ${pod.status?.phase ?? "Pending"}` };
  if (!addressTypes.some((type) => podAddressesOf(pod, type).length > 0)) {
    return { reason: "NoAddressOfFamily", detail: `has ${addresses.join(", ")}, the Service uses ${addressTypes.join(" and ")}` };
  }
  if (!service.spec?.publishNotReadyAddresses && node === undefined) {
    return { reason: "NodeNotFound", detail: `node ${JSON.stringify(pod.spec?.nodeName ?? "")} does not exist` };
  }
  return undefined;
}

/** `label app is "webapp", the selector wants "web"`; undefined when the labels match. Names every key that differs. */
export function selectorMismatch(selector: Readonly<Record<string, string>>, pod: Pod): string | undefined {
  const labels = pod.metadata.labels ?? {};
  const texts = Object.entries(selector)
    .filter(([key, wanted]) => labels[key] !== wanted)
    .map(([key, wanted]) =>
      labels[key] === undefined
        ? `label ${key} is missing, the selector wants ${JSON.stringify(wanted)}`
        : `label ${key} is ${JSON.stringify(labels[key])}, the selector wants ${JSON.stringify(wanted)}`,
    );
  return texts.length === 0 ? undefined : texts.join("; ");
}

export function matchesSelector(
  selector: Readonly<Record<string, string>> | undefined,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  if (selector === undefined) return false;
  for (const key of Object.keys(selector)) if (labels?.[key] !== selector[key]) return false;
  return true;
}

export function missingPortsText(missing: readonly MissingPort[]): string {
  return missing
    .map(({ servicePort, targetPort, protocol, available }) => {
      const what = `${servicePort === "" ? "the Service's port" : `port ${JSON.stringify(servicePort)}`} wants the ${protocol} container port named ${JSON.stringify(targetPort)}`;
      return `${what}; the pod has ${available.length === 0 ? "no named ports" : available.join(", ")}`;
    })
    .join("; ");
}

function endpointOf(service: Service, pod: Pod, addresses: readonly string[], node: Node | undefined): Endpoint {
  const hostname = hostnameOf(service, pod);
  const nodeName = pod.spec?.nodeName;
  const zone = nodeName === undefined ? undefined : node?.metadata.labels?.["topology.kubernetes.io/zone"];
  const { namespace, name, uid } = pod.metadata;
  return {
    addresses,
    conditions: conditionsOf(service, pod),
    ...(hostname === undefined ? {} : { hostname }),
    targetRef: {
      kind: "Pod",
      ...(namespace === undefined ? {} : { namespace }),
      ...(name === undefined ? {} : { name }),
      ...(uid === undefined ? {} : { uid }),
    },
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
  };
}

function conditionsOf(service: Service, pod: Pod): { ready: boolean; serving: boolean; terminating: boolean } {
  const serving = isPodReady(pod);
  const terminating = isPodTerminating(pod);
  return { ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating), serving, terminating };
}

function readinessReason(service: Service, pod: Pod): EndpointReason {
  const ready = isPodReady(pod);
  const terminating = isPodTerminating(pod);
  if (ready && !terminating) return "Ready";
  if (service.spec?.publishNotReadyAddresses) return "PublishNotReady";
  if (terminating) return ready ? "TerminatingServing" : "Terminating";
  return "NotReady";
}

/** A pod's own DNS name below the Service: `hostname` with a `subdomain` that names this Service. */
export function hostnameOf(service: Service, pod: Pod): string | undefined {
  const { hostname, subdomain } = pod.spec ?? {};
  const ours = subdomain === service.metadata.name && pod.metadata.namespace === service.metadata.namespace;
  return hostname !== undefined && hostname !== "" && ours ? hostname : undefined;
}
