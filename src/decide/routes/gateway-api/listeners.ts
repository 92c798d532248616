/**
 * One listener of a Gateway or ListenerSet: what it may carry, which routes it takes, whether what it names is there. What
 * listeners are to each other (conflicts) is in `conflicts.ts`.
 */
import { hostPattern } from "../host.ts";
import { condition } from "./conditions.ts";
import {
  gatewayGroup,
  type AnyRouteKind,
  type Condition,
  type FrontendValidation,
  type GatewayObject,
  type ListenerSpec,
  type ObjectReference,
  type RouteKind,
} from "./objects.ts";
import { isPermitted, referent, type Referent, type Referrer } from "./references.ts";
import type { GatewayWorld } from "./world.ts";

export interface ListenerOwner {
  readonly kind: "Gateway" | "ListenerSet";
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
}

export type Protocol = "HTTP" | "HTTPS" | "TLS" | "TCP" | "UDP";

export interface NamedObject {
  readonly namespace: string;
  readonly name: string;
}

export interface ClientValidation {
  /** ConfigMaps with `ca.crt`. */
  readonly bundles: readonly NamedObject[];
  /** Clients without a valid certificate are served too. */
  readonly insecureFallback: boolean;
}

export interface PlannedListener {
  readonly owner: ListenerOwner;
  readonly spec: ListenerSpec;
  /** `Gateway shop/edge https`: unique among all. */
  readonly id: string;
  readonly protocol: Protocol | undefined;
  /** As in the route table; `*`: any. */
  readonly host: string;
  readonly mode: "none" | "terminate" | "passthrough";
  /** Those of the protocol that it allows. */
  readonly kinds: readonly AnyRouteKind[];
  readonly certificates: readonly NamedObject[];
  readonly clients: ClientValidation | undefined;
  readonly accepted: Condition;
  readonly resolvedRefs: Condition;
  readonly conflicted: Condition;
  /** Only where it is so. */
  readonly overlapping: Condition | undefined;
}

const kindsOf: Readonly<Record<Protocol, readonly AnyRouteKind[]>> = {
  HTTP: ["HTTPRoute", "GRPCRoute"],
  HTTPS: ["HTTPRoute", "GRPCRoute"],
  TLS: ["TLSRoute"],
  TCP: ["TCPRoute"],
  UDP: ["UDPRoute"],
};

export function planListener(owner: ListenerOwner, spec: ListenerSpec, gateway: GatewayObject, world: GatewayWorld): PlannedListener {
  const protocol = Object.hasOwn(kindsOf, spec.protocol) ? (spec.protocol as Protocol) : undefined;
  const host = hostPattern(spec.hostname);
  const { kinds, invalid } = allowedKinds(protocol, spec);
  const certificates = terminates(protocol, spec) ? resolveCertificates(owner, spec, world) : noRefs;
  const clients = protocol === "HTTPS" ? clientValidation(gateway, spec.port, world) : noClients;
  const fault = invalid.length > 0 ? kindsFault(invalid) : (certificates.fault ?? clients.fault);
  return {
    owner,
    spec,
    id: `${owner.kind} ${owner.namespace}/${owner.name} ${spec.name}`,
    protocol,
    host: host ?? "*",
    mode: protocol !== "HTTPS" && protocol !== "TLS" ? "none" : terminates(protocol, spec) ? "terminate" : "passthrough",
    kinds,
    certificates: certificates.found,
    clients: clients.validation,
    accepted: acceptance(protocol, spec, host, clients),
    resolvedRefs: fault ?? condition("ResolvedRefs", true, "ResolvedRefs"),
    conflicted: condition("Conflicted", false, "NoConflicts"),
    overlapping: undefined,
  };
}

function terminates(protocol: Protocol | undefined, { tls }: ListenerSpec): boolean {
  return protocol === "HTTPS" || (protocol === "TLS" && (tls?.mode ?? "Terminate") === "Terminate");
}

function acceptance(protocol: Protocol | undefined, spec: ListenerSpec, host: string | undefined, clients: Clients): Condition {
  if (protocol === undefined)
    return condition("Accepted", false, "UnsupportedProtocol", `protocol ${JSON.stringify(spec.protocol)} is not served`);
  if (host === undefined) return condition("Accepted", false, "UnsupportedValue", `${JSON.stringify(spec.hostname)} is no host name`);
  if (clients.none) return condition("Accepted", false, "NoValidCACertificate", clients.fault?.message ?? "");
  return condition("Accepted", true, "Accepted");
}

/** An empty list allows every kind of the protocol; of named ones those that the protocol has. */
function allowedKinds(protocol: Protocol | undefined, { allowedRoutes }: ListenerSpec) {
  const possible = protocol === undefined ? [] : kindsOf[protocol];
  const named = allowedRoutes?.kinds ?? [];
  if (named.length === 0) return { kinds: possible, invalid: [] };
  const isPossible = ({ group = gatewayGroup, kind }: RouteKind) => group === gatewayGroup && possible.includes(kind as AnyRouteKind);
  return {
    kinds: possible.filter((kind) => named.some((each) => isPossible(each) && each.kind === kind)),
    invalid: named.filter((each) => !isPossible(each)),
  };
}

function kindsFault(invalid: readonly RouteKind[]): Condition {
  const names = invalid.map(({ group = gatewayGroup, kind }) => `${kind}.${group}`).join(", ");
  return condition("ResolvedRefs", false, "InvalidRouteKinds", `the listener's protocol carries no ${names}`);
}

interface Resolved {
  readonly found: readonly NamedObject[];
  readonly fault: Condition | undefined;
}

const noRefs: Resolved = { found: [], fault: undefined };

function resolveCertificates(owner: ListenerOwner, { tls }: ListenerSpec, world: GatewayWorld): Resolved {
  const refs = tls?.certificateRefs ?? [];
  const from = { group: gatewayGroup, kind: owner.kind, namespace: owner.namespace };
  const found: NamedObject[] = [];
  let fault = refs.length === 0 ? condition("ResolvedRefs", false, "InvalidCertificateRef", "no certificate is named") : undefined;
  for (const ref of refs) {
    const to = referent(ref, "Secret", owner.namespace);
    const wrong = certificateFault(from, to, world);
    if (wrong === undefined) found.push(to);
    else fault ??= condition("ResolvedRefs", false, wrong.reason, wrong.message);
  }
  return { found, fault };
}

/** Why a reference to a certificate and key is of no use. */
export function certificateFault(
  from: Referrer,
  to: Referent,
  world: GatewayWorld,
): { readonly reason: "RefNotPermitted" | "InvalidCertificateRef"; readonly message: string } | undefined {
  const invalid = (message: string) => ({ reason: "InvalidCertificateRef", message }) as const;
  const name = `${to.kind} ${to.namespace}/${to.name}`;
  if (to.group !== "" || to.kind !== "Secret") return invalid(`${name} of group ${JSON.stringify(to.group)} is no Secret`);
  if (!isPermitted(from, to, world.grants(to.namespace)))
    return { reason: "RefNotPermitted", message: `no ReferenceGrant in ${to.namespace} permits ${name}` };
  const secret = world.secret(to.namespace, to.name);
  if (secret === undefined) return invalid(`${name} does not exist`);
  const fault = world.certificateFault(secret);
  return fault === undefined ? undefined : invalid(`${name} ${fault}`);
}

interface Clients {
  readonly validation: ClientValidation | undefined;
  readonly fault: Condition | undefined;
  /** Certificates of clients are to be checked, and there is nothing to check them with. */
  readonly none: boolean;
}

const noClients: Clients = { validation: undefined, fault: undefined, none: false };

/** GEP-91: what is said for the port stands in the place of the default, also when it says nothing. */
function clientValidation(gateway: GatewayObject, port: number, world: GatewayWorld): Clients {
  const { frontend } = gateway.spec.tls ?? {};
  const ofPort = frontend?.perPort?.find((each) => each.port === port);
  const validation = ofPort === undefined ? frontend?.default?.validation : ofPort.tls.validation;
  return validation === undefined ? noClients : resolveBundles(gateway, validation, world);
}

function resolveBundles({ metadata }: GatewayObject, { caCertificateRefs, mode }: FrontendValidation, world: GatewayWorld): Clients {
  const namespace = metadata.namespace ?? "";
  const bundles: NamedObject[] = [];
  let fault: Condition | undefined;
  for (const ref of caCertificateRefs) {
    const wrong = bundleFault({ group: gatewayGroup, kind: "Gateway", namespace }, ref, world);
    if (wrong === undefined) bundles.push(referent(ref, "ConfigMap", namespace));
    else fault ??= condition("ResolvedRefs", false, wrong.reason, wrong.message);
  }
  const none = bundles.length === 0;
  return { validation: { bundles, insecureFallback: mode === "AllowInsecureFallback" }, fault, none };
}

export interface BundleFault {
  readonly reason: "RefNotPermitted" | "InvalidCACertificateKind" | "InvalidCACertificateRef";
  readonly message: string;
}

/** Why a ConfigMap named as a bundle of CA certificates is of no use. */
export function bundleFault(from: Referrer, ref: ObjectReference, world: GatewayWorld): BundleFault | undefined {
  const to = referent(ref, "ConfigMap", from.namespace);
  const name = `${to.kind} ${to.namespace}/${to.name}`;
  if (to.group !== "" || to.kind !== "ConfigMap")
    return { reason: "InvalidCACertificateKind", message: `${name} of group ${JSON.stringify(to.group)} is no ConfigMap` };
  if (!isPermitted(from, to, world.grants(to.namespace)))
    return { reason: "RefNotPermitted", message: `no ReferenceGrant in ${to.namespace} permits ${name}` };
  const pem = world.configMap(to.namespace, to.name)?.data?.["ca.crt"];
  if (pem === undefined) return { reason: "InvalidCACertificateRef", message: `${name} does not exist, or has no ca.crt` };
  const fault = world.bundleFault(pem);
  return fault === undefined ? undefined : { reason: "InvalidCACertificateRef", message: `ca.crt of ${name} ${fault}` };
}
