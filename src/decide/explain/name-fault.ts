/** Why a name has no answer: from what DNS said to each name that was asked, the reason that the person most likely needs. */
import type { KubeObject } from "../../api/object.ts";
import type { LookupReason } from "../dns/find.ts";
import { foldName } from "../dns/name.ts";
import { nearest } from "./nearest.ts";
import { refOf } from "./snapshot.ts";
import { listed, type Outcome, type Proposal, type Walk } from "./walk.ts";
import type { Asked } from "./resolve.ts";

/** What the name itself says, whatever the search path made of it. */
interface Meant {
  readonly service: string;
  readonly namespace: string;
  /** The namespace was written. */
  readonly explicit: boolean;
}

/** Reasons that name a Service that is there come before those that name none. */
export function nameFault(walk: Walk, name: string, asked: readonly Asked[]): Outcome {
  const reasons = new Map<LookupReason, string>();
  for (const { name: full, result } of asked) if (result !== undefined && !reasons.has(result.reason)) reasons.set(result.reason, full);
  return (
    ofService(walk, name, reasons) ??
    ofSpelling(walk, name) ??
    ofNamespace(walk, name, meantBy(walk, name)) ?? {
      code: "LeavesCluster",
      text: `${name} is no name of this cluster: what is outside decides`,
    }
  );
}

function ofService(walk: Walk, name: string, reasons: ReadonlyMap<LookupReason, string>): Outcome | undefined {
  const [service] = servicesMeant(walk, name);
  if (service === undefined) return undefined;
  const { metadata, spec } = service;
  const id = `${metadata.namespace}/${metadata.name}`;
  const ref = refOf("Service", service);
  if (reasons.has("NoReadyEndpoints")) {
    return { code: "HeadlessWithoutEndpoints", about: ref, text: `${name} does not resolve: headless Service ${id} has no ready endpoint` };
  }
  if (reasons.has("ExternalNameIsAddress")) {
    const text = `${name} does not resolve: Service ${id} is an alias for ${spec?.externalName}, which is an address and no name`;
    return {
      code: "AliasIsAddress",
      text,
      proposals: [{ text: `Make Service ${id} one without selector, and write an EndpointSlice with ${spec?.externalName}` }],
    };
  }
  if (reasons.has("TargetUnresolved")) return alias(walk, name, id, spec?.externalName ?? "", ref);
  if (reasons.has("PortNotFound")) {
    const ports = (spec?.ports ?? []).map((port) => `_${port.name ?? ""}._${(port.protocol ?? "TCP").toLowerCase()}`);
    return { code: "PortNameNotFound", text: `${name} does not resolve: Service ${id} has the ports ${listed(ports)}` };
  }
  if (reasons.has("EndpointNotFound")) return hostname(walk, name, id);
  return undefined;
}

function servicesMeant({ world, client }: Walk, name: string) {
  const { clusterDomain } = world.snapshot.config;
  const labels = partsOf(name, clusterDomain).filter((label) => !label.startsWith("_"));
  // `web`, `web.shop`, `web-0.web`, `web-0.web.shop`
  const pairs = labels.flatMap((label, i) => [[label, labels[i + 1]] as const, [label, client.namespace] as const]);
  return pairs.flatMap(([service, namespace]) => (namespace === undefined ? [] : (world.service(namespace, service) ?? [])));
}

function alias({ world }: Walk, name: string, id: string, target: string, ref: ReturnType<typeof refOf>): Outcome {
  const { clusterDomain } = world.snapshot.config;
  const [service = "", namespace = ""] = partsOf(target, clusterDomain);
  if (`${namespace}/${service}` === id)
    return {
      code: "AliasOfItself",
      text: `${name} does not resolve: Service ${id} is an alias of itself (${target})`,
      proposals: [{ text: `Set spec.externalName of Service ${id} to a name outside, or give it a selector` }],
    };
  const proposals = nearest(
    service,
    world.servicesIn(namespace).map(({ metadata }) => metadata.name ?? ""),
  ).map((near): Proposal => {
    const to = target.replace(service, near);
    return { text: `Set spec.externalName of Service ${id} to ${to}`, edit: { ref, field: "spec.externalName", from: target, to } };
  });
  return {
    code: "AliasLeadsNowhere",
    text: `${name} does not resolve: Service ${id} is an alias for ${target}, which does not resolve`,
    proposals,
  };
}

/** `web-0.web`: the Service is there, and has no endpoint of that name. */
function hostname({ world }: Walk, name: string, id: string): Outcome {
  const [host = ""] = name.split(".");
  const [namespace = "", service = ""] = id.split("/");
  const pod = world.podsIn(namespace).find(({ metadata }) => metadata.name === host);
  const endpoints = world.slicesOf(namespace, service).flatMap((slice) => slice.endpoints ?? []);
  const known = endpoints.flatMap(({ hostname: label }) => label ?? []);
  const why =
    pod !== undefined && pod.spec?.subdomain !== service
      ? `pod ${host} has subdomain ${JSON.stringify(pod.spec?.subdomain ?? "")}, not ${JSON.stringify(service)} (a StatefulSet's is its spec.serviceName)`
      : `its endpoints have the names ${listed(known)}`;
  const set = world.snapshot.statefulSets.find(({ metadata }) => metadata.namespace === namespace && host.startsWith(`${metadata.name}-`));
  const proposals: readonly Proposal[] =
    set === undefined || set.spec?.serviceName === service
      ? nearest(host, known).map((near) => ({ text: `Ask for ${name.replace(host, near)}`, ask: { target: name.replace(host, near) } }))
      : [{ text: `Make StatefulSet ${namespace}/${set.metadata.name} anew with serviceName ${service} (the field cannot be changed)` }];
  return { code: "PodNameNotFound", text: `${name} does not resolve: Service ${id} has no endpoint ${host}: ${why}`, proposals };
}

/** `web.svc.shop`, `web.shop.svc.cluster.locl`: pieces in the wrong place, or a domain that is not the cluster's. */
function ofSpelling(walk: Walk, name: string): Outcome | undefined {
  const { clusterDomain } = walk.world.snapshot.config;
  const folded = foldName(name).replace(/\.$/, "");
  const labels = folded.split(".");
  const at = labels.indexOf("svc");
  const wrong = at >= 0 && at !== labels.length - 1 && !folded.endsWith(`.${clusterDomain}`);
  const swapped = at === 1 || (at === 0 && labels.length > 1);
  if (!wrong && !swapped) return undefined;
  const [service = "", namespace = walk.client.namespace] = labels.filter(
    (label) => label !== "svc" && !clusterDomain.split(".").includes(label),
  );
  const right = `${service}.${namespace}.svc.${clusterDomain}`;
  const text = `${name} does not resolve: Services have names such as ${right}`;
  return { code: "NotAServiceName", text, proposals: [{ text: `Ask for ${right}`, ask: { target: right } }] };
}

function meantBy({ world, client }: Walk, name: string): Meant {
  const [service = "", namespace] = partsOf(name, world.snapshot.config.clusterDomain).filter((label) => !label.startsWith("_"));
  return { service, namespace: namespace ?? client.namespace, explicit: namespace !== undefined };
}

function ofNamespace(walk: Walk, name: string, { service, namespace, explicit }: Meant): Outcome | undefined {
  const { world } = walk;
  const { clusterDomain } = world.snapshot.config;
  const elsewhere = world.servicesNamed(service).map(({ metadata }) => metadata.namespace ?? "");
  const ask = (target: string): Proposal => ({ text: `Ask for ${target}`, ask: { target } });
  if (explicit && !world.hasNamespace(namespace) && elsewhere.length > 0) {
    const text = `${name} does not resolve: there is no namespace ${namespace}; ${listed(elsewhere)} ${elsewhere.length === 1 ? "has" : "have"} a Service ${service}`;
    return { code: "NamespaceNotFound", text, proposals: elsewhere.slice(0, 3).map((each) => ask(`${service}.${each}`)) };
  }
  if (elsewhere.length > 0) {
    const place = explicit ? `namespace ${namespace}` : `the client's namespace ${namespace}`;
    const text = `${name} does not resolve: ${place} has no Service ${service}; ${listed(elsewhere)} ${elsewhere.length === 1 ? "has" : "have"} one`;
    return { code: "ServiceInOtherNamespace", text, proposals: elsewhere.slice(0, 3).map((each) => ask(`${service}.${each}`)) };
  }
  const ours = !name.includes(".") || foldName(name).replace(/\.$/, "").endsWith(`.${clusterDomain}`) || foldName(name).endsWith(".svc");
  if (!world.hasNamespace(namespace)) {
    const near = nearest(namespace, namespacesOf(walk));
    if (!ours && near.length === 0) return undefined;
    const text = `${name} does not resolve: there is no namespace ${namespace}`;
    return { code: "NamespaceNotFound", text, proposals: near.map((each) => ask(`${service}.${each}`)) };
  }
  const here = world.servicesIn(namespace).map(({ metadata }) => metadata.name ?? "");
  const text = `${name} does not resolve: there is no Service ${service} in namespace ${namespace} (it has ${listed(here.toSorted())})`;
  return {
    code: "ServiceNotFound",
    text,
    proposals: [
      ...nearest(service, here).map((each) => ask(explicit ? `${each}.${namespace}` : each)),
      ...exposing(walk, service, namespace),
    ],
  };
}

/** Whoever made the pods may have forgotten the Service. */
function exposing({ world }: Walk, name: string, namespace: string): readonly Proposal[] {
  const { deployments, statefulSets } = world.snapshot;
  const is = ({ metadata }: KubeObject) => metadata.name === name && metadata.namespace === namespace;
  const kind = deployments.some(is) ? "deployment" : statefulSets.some(is) ? "statefulset" : undefined;
  return kind === undefined ? [] : [{ text: `Make the Service: kubectl expose ${kind} ${name} -n ${namespace} --port 80` }];
}

function namespacesOf({ world }: Walk): readonly string[] {
  const { namespaces, services } = world.snapshot;
  return [
    ...new Set([...namespaces.map(({ metadata }) => metadata.name ?? ""), ...services.map(({ metadata }) => metadata.namespace ?? "")]),
  ];
}

/** The labels of a name without `svc` and the cluster's domain. */
function partsOf(name: string, clusterDomain: string): readonly string[] {
  const folded = foldName(name).replace(/\.$/, "");
  const inner = folded.endsWith(`.${clusterDomain}`) ? folded.slice(0, -clusterDomain.length - 1) : folded;
  return (inner.endsWith(".svc") ? inner.slice(0, -4) : inner).split(".");
}
