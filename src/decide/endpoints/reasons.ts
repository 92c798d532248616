/**
 * Why a pod is, or is not, an endpoint of a Service: one stable code per outcome. The controllers, `explain` and the
 * docs use the same codes. CamelCase as Kubernetes' own reasons; a code is never renamed or given another meaning.
 */

/** What becomes of a pod in the slices of a Service. */
export type EndpointPlace =
  /** In a slice with `ready: true`: new connections go there. */
  | "ready"
  /** In a slice with `ready: false`: listed, but without new connections. */
  | "notReady"
  /** In a slice that lacks the Service's ports: its name resolves in a headless Service, no port leads to it. */
  | "noPort"
  /** In no slice. */
  | "leftOut";

interface ReasonInfo {
  readonly place: EndpointPlace;
  readonly meaning: string;
}

/** code → where it puts the pod and what it means. Order: as the decisions are taken. */
export const endpointReasons = {
  LabelMismatch: { place: "leftOut", meaning: "the pod's labels do not match the Service's selector" },
  PodFinished: { place: "leftOut", meaning: "the pod's phase is Succeeded or Failed: it runs no more" },
  NoPodIP: { place: "leftOut", meaning: "the pod has no address yet" },
  NoAddressOfFamily: { place: "leftOut", meaning: "the pod has no address of an IP family that the Service uses" },
  NodeNotFound: { place: "leftOut", meaning: "the pod names a node that does not exist" },
  NamedPortMissing: { place: "noPort", meaning: "no container port has the name and protocol that a targetPort asks for" },
  PublishNotReady: {
    place: "ready",
    meaning: "the pod is not ready or is terminating, and publishNotReadyAddresses publishes it all the same",
  },
  TerminatingServing: {
    place: "notReady",
    meaning: "the pod is being deleted but still passes its readiness check: used only where no endpoint is ready",
  },
  Terminating: { place: "notReady", meaning: "the pod is being deleted and is not ready" },
  NotReady: { place: "notReady", meaning: "the pod's Ready condition is not True" },
  Ready: { place: "ready", meaning: "the pod is ready" },
} as const satisfies Readonly<Record<string, ReasonInfo>>;

export type EndpointReason = keyof typeof endpointReasons;

/** Why a Service as a whole gets no endpoints from the controllers. */
export const serviceReasons = {
  ExternalName: "an ExternalName Service is a DNS alias: it has no endpoints",
  NoSelector: "the Service has no selector: its endpoints are whatever Endpoints or EndpointSlices somebody writes for it",
} as const satisfies Readonly<Record<string, string>>;

export type ServiceReason = keyof typeof serviceReasons;
