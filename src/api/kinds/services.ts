/** Services (core/v1): what everything here is about. */
import { ipWarnings, cidrWarnings } from "../validation/addresses.ts";
import { validateService } from "../validation/service.ts";
import { validateLoadBalancerStatus } from "../validation/service-status.ts";
import {
  clusterIpNone,
  externallyAccessible,
  needsClusterIp,
  needsHealthCheckNodePort,
  needsNodePort,
  sameTexts,
} from "../validation/service-traits.ts";
import type { Draft } from "../object.ts";
import { services } from "../resources.ts";
import type { Service, ServiceSpec } from "../types.ts";
import { ageColumn, defineKind, labelsText, nameColumn, orNone, text, wide } from "./define.ts";

type Spec = Draft<ServiceSpec>;

/** Three hours: how long a client keeps its endpoint. */
const defaultAffinitySeconds = 10800;

function applyDefaults(service: Draft<Service>): void {
  const spec = (service.spec ??= {});
  spec.type ||= "ClusterIP";
  defaultAffinity(spec);
  for (const port of spec.ports ?? []) {
    port.protocol ||= "TCP";
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === "") port.targetPort = port.port;
  }
  if (externallyAccessible(spec)) spec.externalTrafficPolicy ||= "Cluster";
  if (spec.type !== "ExternalName") spec.internalTrafficPolicy ??= "Cluster";
  if (spec.type === "LoadBalancer") {
    spec.allocateLoadBalancerNodePorts ??= true;
    for (const ingress of service.status?.loadBalancer?.ingress ?? []) if ((ingress.ip ?? "") !== "") ingress.ipMode ??= "VIP";
  }
}

function defaultAffinity(spec: Spec): void {
  spec.sessionAffinity ||= "None";
  if (spec.sessionAffinity === "None") delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity !== "ClientIP" || spec.sessionAffinityConfig?.clientIP?.timeoutSeconds !== undefined) return;
  spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: defaultAffinitySeconds } };
}

function prepareForUpdate(service: Draft<Service>, old: Service): void {
  const spec = (service.spec ??= {});
  service.status = structuredClone(old.status ?? {}) as Draft<NonNullable<Service["status"]>>;
  dropFieldsOfOldType(spec, old.spec ?? {});
  if (spec.type !== "LoadBalancer" || service.status.loadBalancer === undefined) service.status.loadBalancer = {};
}

/**
 * A change of type clears the fields that the new type has no use for, unless the user changed them at the same time
 * (then validation refuses them): `pkg/registry/core/service/strategy.go` dropTypeDependentFields.
 */
function dropFieldsOfOldType(spec: Spec, old: ServiceSpec): void {
  if (needsClusterIp(old) && !needsClusterIp(spec)) {
    if ((spec.clusterIP ?? "") === (old.clusterIP ?? "") && sameTexts(spec.clusterIPs, old.clusterIPs)) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    if (sameTexts(spec.ipFamilies, old.ipFamilies)) delete spec.ipFamilies;
    if (spec.ipFamilyPolicy === old.ipFamilyPolicy) delete spec.ipFamilyPolicy;
  }
  if (needsNodePort(old) && !needsNodePort(spec) && addsNoNodePort(spec, old)) for (const port of spec.ports ?? []) delete port.nodePort;
  if (needsHealthCheckNodePort(old) && !needsHealthCheckNodePort(spec) && spec.healthCheckNodePort === old.healthCheckNodePort) {
    delete spec.healthCheckNodePort;
  }
  if (old.type === "LoadBalancer" && spec.type !== "LoadBalancer") {
    if (spec.allocateLoadBalancerNodePorts === old.allocateLoadBalancerNodePorts) delete spec.allocateLoadBalancerNodePorts;
    if (spec.loadBalancerClass === old.loadBalancerClass) delete spec.loadBalancerClass;
  }
  if (externallyAccessible(old) && !externallyAccessible(spec) && spec.externalTrafficPolicy === old.externalTrafficPolicy) {
    delete spec.externalTrafficPolicy;
  }
}

function addsNoNodePort(spec: ServiceSpec, old: ServiceSpec): boolean {
  const before = new Set((old.ports ?? []).map((port) => port.nodePort ?? 0));
  return (spec.ports ?? []).every((port) => (port.nodePort ?? 0) === 0 || before.has(port.nodePort as number));
}

/** `pkg/api/service/warnings.go` */
function warnings({ metadata, spec = {} }: Service): string[] {
  const headless = spec.type === "ClusterIP" && spec.clusterIP === clusterIpNone;
  const external = spec.externalIPs ?? [];
  const all: (readonly [boolean, string])[] = [
    [
      metadata.annotations?.["service.kubernetes.io/topology-aware-hints"] !== undefined,
      "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead",
    ],
    [headless && (spec.loadBalancerIP ?? "") !== "", "spec.loadBalancerIP is ignored for headless services"],
    [headless && external.length > 0, "spec.externalIPs is ignored for headless services"],
    [headless && spec.sessionAffinity !== "None", "spec.SessionAffinity is ignored for headless services"],
    [
      external.length > 0 && !headless && spec.type !== "ExternalName",
      "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
    ],
    [spec.type === "ExternalName" && external.length > 0, 'spec.externalIPs is ignored when spec.type is "ExternalName"'],
    [spec.type !== "ExternalName" && (spec.externalName ?? "") !== "", 'spec.externalName is ignored when spec.type is not "ExternalName"'],
    [spec.trafficDistribution === "PreferClose", 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'],
  ];
  return [...all.flatMap(([applies, warning]) => (applies ? [warning] : [])), ...addressWarnings(spec)];
}

function addressWarnings(spec: ServiceSpec): string[] {
  const loadBalancerIP = spec.loadBalancerIP ?? "";
  return [
    ...(spec.clusterIPs ?? []).flatMap((address, index) => ipWarnings(`spec.clusterIPs[${index}]`, address)),
    ...(spec.externalIPs ?? []).flatMap((address, index) => ipWarnings(`spec.externalIPs[${index}]`, address)),
    ...(loadBalancerIP === "" ? [] : ipWarnings("spec.loadBalancerIP", loadBalancerIP)),
    ...(spec.loadBalancerSourceRanges ?? []).flatMap((range, index) =>
      cidrWarnings(`spec.loadBalancerSourceRanges[${index}]`, range.trim()),
    ),
  ];
}

function externalAddresses({ spec = {}, status }: Service): string {
  const external = spec.externalIPs ?? [];
  switch (spec.type) {
    case "ExternalName":
      return spec.externalName ?? "";
    case "LoadBalancer": {
      const ingress = (status?.loadBalancer?.ingress ?? [])
        .map(({ ip, hostname }) => ip || hostname || "")
        .filter((address) => address !== "");
      const all = [...new Set(ingress)].sort().concat(external);
      return all.length === 0 ? "<pending>" : all.join(",");
    }
    case "ClusterIP":
    case "NodePort":
      return orNone(external.join(","));
    default:
      return "<unknown>";
  }
}

function portsText({ spec }: Service): string {
  const ports = (spec?.ports ?? []).map(
    ({ port, nodePort, protocol }) => `${port}${(nodePort ?? 0) > 0 ? `:${nodePort}` : ""}/${protocol}`,
  );
  return orNone(ports.join(","));
}

export const serviceKind = defineKind<Service>({
  resource: services,
  definition: "Service",
  singular: "service",
  shortNames: ["svc"],
  categories: ["all"],
  subresources: ["status", "proxy"],
  // RFC 1123 since 1.36: a name may start with a digit (KEP-5311).
  nameRule: "dns1123Label",
  createOnUpdate: true,
  applyDefaults,
  prepareForCreate: (service) => {
    service.status = { loadBalancer: {} };
  },
  prepareForUpdate,
  validate: (service, old) => validateService(service, old),
  validateStatus: (service) => validateLoadBalancerStatus(service),
  warnings,
  selectableFields: { "spec.clusterIP": ({ spec }) => spec?.clusterIP ?? "", "spec.type": ({ spec }) => spec?.type ?? "" },
  columns: [
    nameColumn,
    text("Type", "How the service is reached.", ({ spec }) => spec?.type ?? ""),
    text("Cluster-IP", "Its first address inside the cluster.", ({ spec }) => orNone(spec?.clusterIPs?.[0] ?? spec?.clusterIP)),
    text("External-IP", "Its addresses outside the cluster.", externalAddresses),
    text("Port(s)", "Port, node port and protocol of each of its ports.", portsText),
    ageColumn,
    wide(text("Selector", "Labels of the pods behind it.", ({ spec }) => labelsText(spec?.selector))),
  ],
});
