/**
 * Validation of Services (`pkg/apis/core/validation/validation.go`, ValidateService and ValidateServiceUpdate, 1.36), with
 * its field paths, messages and order. `metadata` is judged by `metadata.ts`. The parts that deal with addresses and with
 * the traffic policies have files of their own beside this one.
 */
import { duplicate, forbidden, invalid, required, type FieldError } from "../field-error.ts";
import { dns1123Label, dns1123Subdomain, qualifiedName } from "../names.ts";
import type { Service, ServicePort, ServiceSpec } from "../types.ts";
import { validateCidr, validateIp, validateNonSpecialIp } from "./addresses.ts";
import { validateLabels } from "./metadata.ts";
import { validateClusterIpFields, validateClusterIpsUpdate, validateIpFamiliesUpdate } from "./service-addresses.ts";
import { isHeadless } from "./service-traits.ts";
import {
  validateExternalTrafficPolicy,
  validateHealthCheckNodePortUpdate,
  validateInternalTrafficPolicy,
  validateLoadBalancerClass,
  validateLoadBalancerClassUpdate,
  validateSessionAffinity,
  validateTrafficDistribution,
} from "./service-traffic.ts";
import { protocols, validateEnum, validatePort, validatePortOrName, validateText } from "./values.ts";

const sourceRangesAnnotation = "service.beta.kubernetes.io/load-balancer-source-ranges";
const topologyModeAnnotation = "service.kubernetes.io/topology-mode";
const topologyHintsAnnotation = "service.kubernetes.io/topology-aware-hints";

const serviceTypes: readonly string[] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

/** All errors of a Service; with `old`, also those of the change from it. */
export function validateService(service: Service, old?: Service): FieldError[] {
  return [...(old === undefined ? [] : validateServiceUpdate(service, old)), ...validateServiceAlone(service, old)];
}

function validateServiceUpdate(service: Service, old: Service): FieldError[] {
  const [next, previous] = [service.spec ?? {}, old.spec ?? {}];
  return [
    ...validateClusterIpsUpdate(next, previous),
    ...validateIpFamiliesUpdate(next, previous),
    ...validateLoadBalancerClassUpdate(next, previous),
    ...validateHealthCheckNodePortUpdate(next, previous),
  ];
}

function validateServiceAlone(service: Service, old: Service | undefined): FieldError[] {
  const spec = service.spec ?? {};
  return [
    ...validateTopologyAnnotations(service.metadata.annotations),
    ...(noPorts(spec) ? [required("spec.ports")] : []),
    ...validateTypeFields(spec),
    ...validatePorts(spec.ports ?? []),
    ...validateLabels(spec.selector, "spec.selector"),
    ...validateSessionAffinity(spec),
    ...validateClusterIpFields(spec, old?.spec),
    ...validateExternalIps(spec, old?.spec),
    ...validateEnum("spec.type", spec.type, serviceTypes),
    ...validateNodePorts(spec),
    ...validateDuplicatePorts(spec.ports ?? []),
    ...validateSourceRanges(service, old),
    ...validateNodePortAllocation(spec),
    ...validateLoadBalancerClass(spec),
    ...validateExternalTrafficPolicy(spec),
    ...validateInternalTrafficPolicy(spec),
    ...validateTrafficDistribution(spec),
  ];
}

function validateTopologyAnnotations(annotations: Readonly<Record<string, string>> = {}): FieldError[] {
  const [mode, hints] = [annotations[topologyModeAnnotation], annotations[topologyHintsAnnotation]];
  if (mode === undefined || hints === undefined || mode === hints) return [];
  const detail = `must match annotations[${topologyHintsAnnotation}] when both are specified`;
  return [invalid(`metadata.annotations[${topologyModeAnnotation}]`, mode, detail)];
}

const noPorts = (spec: ServiceSpec): boolean => (spec.ports?.length ?? 0) === 0 && !isHeadless(spec) && spec.type !== "ExternalName";

/** What the type demands or forbids of addresses and names. */
function validateTypeFields(spec: ServiceSpec): FieldError[] {
  if (spec.type === "ExternalName") return validateExternalName(spec);
  if ((spec.type !== "LoadBalancer" && spec.type !== "NodePort") || !isHeadless(spec)) return [];
  return [invalid("spec.clusterIPs[0]", spec.clusterIPs?.[0], `may not be set to 'None' for ${spec.type} services`)];
}

function validateExternalName(spec: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const forbid = (field: string) => errors.push(forbidden(`spec.${field}`, "may not be set for ExternalName services"));
  if ((spec.clusterIPs?.length ?? 0) > 0) forbid("clusterIPs");
  if ((spec.ipFamilies?.length ?? 0) > 0) forbid("ipFamilies");
  if (spec.ipFamilyPolicy !== undefined) forbid("ipFamilyPolicy");
  // It becomes a CNAME, which may end in a dot.
  const name = (spec.externalName ?? "").replace(/\.$/, "");
  return [...errors, ...(name === "" ? [required("spec.externalName")] : validateText("spec.externalName", name, dns1123Subdomain))];
}

function validatePorts(ports: readonly ServicePort[]): FieldError[] {
  const names = new Set<string>();
  return ports.flatMap((port, index) => validateServicePort(port, ports.length > 1, names, `spec.ports[${index}]`));
}

function validateServicePort(port: ServicePort, nameRequired: boolean, names: Set<string>, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const name = port.name ?? "";
  if (name !== "") {
    errors.push(...validateText(`${path}.name`, name, dns1123Label));
    if (names.has(name)) errors.push(duplicate(`${path}.name`, name));
    names.add(name);
  } else if (nameRequired) errors.push(required(`${path}.name`));
  return [
    ...errors,
    ...validatePort(`${path}.port`, port.port),
    ...validateEnum(`${path}.protocol`, port.protocol, protocols),
    ...validatePortOrName(`${path}.targetPort`, port.targetPort),
    ...(port.appProtocol === undefined ? [] : validateText(`${path}.appProtocol`, port.appProtocol, qualifiedName)),
  ];
}

function validateExternalIps(spec: ServiceSpec, old: ServiceSpec | undefined): FieldError[] {
  return (spec.externalIPs ?? []).flatMap((address, index) => {
    const path = `spec.externalIPs[${index}]`;
    const errors = validateIp(path, address, old?.externalIPs);
    return errors.length > 0 ? errors : validateNonSpecialIp(path, address);
  });
}

function validateNodePorts(spec: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  const ports = [...(spec.ports ?? []).entries()].filter(([, port]) => (port.nodePort ?? 0) !== 0);
  if (spec.type === "ClusterIP") {
    errors.push(...ports.map(([index]) => forbidden(`spec.ports[${index}].nodePort`, "may not be used when `type` is 'ClusterIP'")));
  }
  for (const [index, port] of ports) {
    const key = `${port.protocol}/${port.nodePort}`;
    if (seen.has(key)) errors.push(duplicate(`spec.ports[${index}].nodePort`, port.nodePort));
    seen.add(key);
  }
  return errors;
}

function validateDuplicatePorts(ports: readonly ServicePort[]): FieldError[] {
  const seen = new Set<string>();
  const errors: FieldError[] = [];
  for (const [index, { protocol, port }] of ports.entries()) {
    const key = `${protocol}/${port}`;
    // Upstream shows its internal type here, with every field.
    const shown = { Name: "", Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 };
    if (seen.has(key)) errors.push(duplicate(`spec.ports[${index}]`, shown));
    seen.add(key);
  }
  return errors;
}

/** The field, or the annotation that came before it; values may be padded with blanks. */
function validateSourceRanges({ spec = {}, metadata }: Service, old: Service | undefined): FieldError[] {
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const annotation = metadata.annotations?.[sourceRangesAnnotation];
  const kept = (old?.spec?.loadBalancerSourceRanges ?? []).map((range) => range.trim());
  const onlyLoadBalancer = (path: string) =>
    spec.type === "LoadBalancer" ? [] : [forbidden(path, "may only be used when `type` is 'LoadBalancer'")];
  if (ranges.length > 0) {
    const path = "spec.LoadBalancerSourceRanges";
    return [...onlyLoadBalancer(path), ...ranges.flatMap((range, index) => validateCidr(`${path}[${index}]`, range.trim(), kept))];
  }
  if (annotation === undefined) return [];
  const path = `metadata.annotations[${sourceRangesAnnotation}]`;
  const parts = annotation.trim() === "" ? [] : annotation.split(",").map((range) => range.trim());
  const keptParts = (old?.metadata.annotations?.[sourceRangesAnnotation] ?? "").split(",").map((range) => range.trim());
  return [...onlyLoadBalancer(path), ...parts.flatMap((range) => validateCidr(path, range, keptParts))];
}

function validateNodePortAllocation(spec: ServiceSpec): FieldError[] {
  const set = spec.allocateLoadBalancerNodePorts !== undefined;
  if (set && spec.type !== "LoadBalancer") {
    return [forbidden("spec.allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'")];
  }
  return !set && spec.type === "LoadBalancer" ? [required("allocateLoadBalancerNodePorts")] : [];
}
