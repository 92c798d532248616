/**
 * BackendTLSPolicies (GEP-1897): which of them speaks for a Service's port, and what is wrong with the others. Of two that want the
 * same, the older has it; one for a named port goes before one for the whole Service (GEP-713).
 */
import type { ServicePort } from "../../../api/types.ts";
import type { UpstreamTls } from "../backends.ts";
import { condition } from "./conditions.ts";
import { keyOf, olderFirst } from "./gateway.ts";
import { bundleFault } from "./listeners.ts";
import { gatewayGroup, type BackendTlsPolicy, type Condition } from "./objects.ts";
import type { GatewayWorld } from "./world.ts";

export interface PolicyPlan {
  readonly policy: BackendTlsPolicy;
  /** `shop/web-tls` */
  readonly key: string;
  readonly accepted: Condition;
  readonly resolvedRefs: Condition;
  /** `shop/web` of each Service that it is for. */
  readonly services: readonly string[];
  /** Undefined: connections that it is for cannot be made. */
  readonly tls: UpstreamTls | undefined;
}

export interface PolicyIndex {
  readonly plans: readonly PolicyPlan[];
  /** Undefined: the port is spoken to without TLS. */
  readonly forPort: (service: string, port: Pick<ServicePort, "name">) => PolicyPlan | undefined;
}

/** `policies`: of one namespace; their targets are there too. */
export function planPolicies(policies: readonly BackendTlsPolicy[], world: GatewayWorld): PolicyIndex {
  const holders = new Map<string, PolicyPlan>();
  const plans = policies.toSorted(olderFirst).map((policy) => {
    const namespace = policy.metadata.namespace ?? "";
    const targets = policy.spec.targetRefs.filter(({ group, kind }) => group === "" && kind === "Service");
    const slots = targets.map(({ name, sectionName }) => `${namespace}/${name} ${sectionName ?? ""}`);
    const plan = planPolicy(policy, targets, slots.flatMap((slot) => holders.get(slot) ?? [])[0], world);
    for (const slot of slots) if (!holders.has(slot)) holders.set(slot, plan);
    return plan;
  });
  return {
    plans,
    forPort: (service, { name = "" }) => (name === "" ? undefined : holders.get(`${service} ${name}`)) ?? holders.get(`${service} `),
  };
}

function planPolicy(
  policy: BackendTlsPolicy,
  targets: readonly { readonly name: string }[],
  holder: PolicyPlan | undefined,
  world: GatewayWorld,
): PolicyPlan {
  const namespace = policy.metadata.namespace ?? "";
  const { bundle, fault } = readBundle(policy, world);
  const refused = fault?.reason === undefined ? undefined : condition("Accepted", false, "NoValidCACertificate", fault.message);
  const missing = targets.filter(({ name }) => world.service(namespace, name) === undefined);
  const lost = targets.length === 0 || missing.length === targets.length;
  return {
    policy,
    key: keyOf(policy),
    services: targets.map(({ name }) => `${namespace}/${name}`),
    accepted:
      refused ??
      (holder !== undefined
        ? condition("Accepted", false, "Conflicted", `BackendTLSPolicy ${holder.key}, which is older, has the same target`)
        : lost
          ? condition("Accepted", false, "TargetNotFound", "no Service that it names exists")
          : condition("Accepted", true, "Accepted")),
    resolvedRefs: fault ?? condition("ResolvedRefs", true, "ResolvedRefs"),
    tls: refused === undefined ? upstreamTls(policy, bundle) : undefined,
  };
}

/** The bundles that can be read; `fault` when none can. */
function readBundle(
  { spec, metadata }: BackendTlsPolicy,
  world: GatewayWorld,
): { readonly bundle: string | undefined; readonly fault: Condition | undefined } {
  const { caCertificateRefs = [], wellKnownCACertificates } = spec.validation;
  if (wellKnownCACertificates === "System") return { bundle: undefined, fault: undefined };
  const namespace = metadata.namespace ?? "";
  const texts: string[] = [];
  let fault: Condition | undefined;
  for (const { group, kind, name } of caCertificateRefs) {
    const ref = { group: group ?? "", kind: kind ?? "ConfigMap", name };
    const wrong = bundleFault({ group: gatewayGroup, kind: "BackendTLSPolicy", namespace }, ref, world);
    if (wrong === undefined) texts.push(world.configMap(namespace, name)?.data?.["ca.crt"] ?? "");
    else
      fault ??= condition("ResolvedRefs", false, wrong.reason === "InvalidCACertificateKind" ? "InvalidKind" : wrong.reason, wrong.message);
  }
  if (texts.length > 0) return { bundle: texts.join("\n"), fault: undefined };
  return { bundle: undefined, fault: fault ?? condition("ResolvedRefs", false, "InvalidCACertificateRef", "no CA certificate is named") };
}

function upstreamTls({ spec }: BackendTlsPolicy, ca: string | undefined): UpstreamTls {
  const { hostname, subjectAltNames = [] } = spec.validation;
  const names = subjectAltNames.map(({ type, hostname: host, uri }) =>
    type === "URI" ? ({ kind: "uri", value: uri ?? "" } as const) : ({ kind: "dns", value: host ?? "" } as const),
  );
  return { serverName: hostname, names, ca };
}
