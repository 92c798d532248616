/** How a Service's traffic is steered: affinity, policies, load balancer class, distribution. */
import { forbidden, invalid, notSupported, required, type FieldError } from "../field-error.ts";
import { qualifiedName } from "../names.ts";
import type { ServiceSpec } from "../types.ts";
import { externallyAccessible, needsHealthCheckNodePort } from "./service-traits.ts";
import { validateEnum, validateOptionalEnum, validatePort, validateText } from "./values.ts";

/** A day: what `recent` and friends can remember. */
const maxAffinitySeconds = 86400;

const policies: readonly string[] = ["Cluster", "Local"];
const distributions: readonly string[] = ["PreferClose", "PreferSameZone", "PreferSameNode"];

export function validateSessionAffinity(spec: ServiceSpec): FieldError[] {
  const path = "spec.sessionAffinityConfig";
  const errors = validateEnum("spec.sessionAffinity", spec.sessionAffinity, ["ClientIP", "None"]);
  if (spec.sessionAffinity === "ClientIP") return [...errors, ...validateClientIp(spec.sessionAffinityConfig, path)];
  if (spec.sessionAffinity === "None" && spec.sessionAffinityConfig !== undefined) {
    errors.push(forbidden(path, "must not be set when session affinity is None"));
  }
  return errors;
}

function validateClientIp(config: ServiceSpec["sessionAffinityConfig"], path: string): FieldError[] {
  if (config === undefined) return [required(path, "when session affinity type is ClientIP")];
  if (config.clientIP === undefined) return [required(`${path}.clientIP`, "when session affinity type is ClientIP")];
  const seconds = config.clientIP.timeoutSeconds;
  const timeoutPath = `${path}.clientIP.timeoutSeconds`;
  if (seconds === undefined) return [required(timeoutPath, "when session affinity type is ClientIP")];
  if (seconds > 0 && seconds <= maxAffinitySeconds) return [];
  return [invalid(timeoutPath, seconds, `must be greater than 0 and less than ${maxAffinitySeconds}`)];
}

export function validateExternalTrafficPolicy(spec: ServiceSpec): FieldError[] {
  const policy = spec.externalTrafficPolicy ?? "";
  const path = "spec.externalTrafficPolicy";
  const errors = externallyAccessible(spec)
    ? validateEnum(path, policy, policies)
    : policy === ""
      ? []
      : [invalid(path, policy, "may only be set for externally-accessible services")];
  return [...errors, ...validateHealthCheckNodePort(spec)];
}

function validateHealthCheckNodePort(spec: ServiceSpec): FieldError[] {
  const port = spec.healthCheckNodePort ?? 0;
  const path = "spec.healthCheckNodePort";
  if (needsHealthCheckNodePort(spec)) return port === 0 ? [required(path)] : validatePort(path, port);
  if (port === 0) return [];
  return [invalid(path, port, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'")];
}

export function validateHealthCheckNodePortUpdate(next: ServiceSpec, previous: ServiceSpec): FieldError[] {
  if (!needsHealthCheckNodePort(next) || !needsHealthCheckNodePort(previous)) return [];
  return next.healthCheckNodePort === previous.healthCheckNodePort ? [] : [forbidden("spec.healthCheckNodePort", "field is immutable")];
}

export function validateInternalTrafficPolicy(spec: ServiceSpec): FieldError[] {
  const path = "spec.internalTrafficPolicy";
  const applies = spec.type === "ClusterIP" || spec.type === "NodePort" || spec.type === "LoadBalancer";
  if (spec.internalTrafficPolicy === undefined && applies) return [required(path)];
  return validateOptionalEnum(path, spec.internalTrafficPolicy, policies);
}

export function validateTrafficDistribution(spec: ServiceSpec): FieldError[] {
  const { trafficDistribution: wanted } = spec;
  if (wanted === undefined || distributions.includes(wanted)) return [];
  return [notSupported("spec.trafficDistribution", wanted, distributions, "as given")];
}

export function validateLoadBalancerClass(spec: ServiceSpec): FieldError[] {
  const path = "spec.loadBalancerClass";
  if (spec.loadBalancerClass === undefined) return [];
  if (spec.type === "LoadBalancer") return validateText(path, spec.loadBalancerClass, qualifiedName);
  return [forbidden(path, "may only be used when `type` is 'LoadBalancer'")];
}

/** Upstream judges the class by itself here and once more with the whole Service: two errors of one text. */
export function validateLoadBalancerClassUpdate(next: ServiceSpec, previous: ServiceSpec): FieldError[] {
  const changed = next.type === "LoadBalancer" && previous.type === "LoadBalancer" && next.loadBalancerClass !== previous.loadBalancerClass;
  return [
    ...(changed ? [invalid("spec.loadBalancerClass", next.loadBalancerClass ?? null, "may not change once set")] : []),
    ...validateLoadBalancerClass(next),
  ];
}
