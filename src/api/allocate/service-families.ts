/**
 * Which address families a Service has, and how its singular and plural address fields are kept in step: what happens
 * before anything is allocated. The order of the cases is upstream's (alloc.go `initIPFamilyFields`): the errors depend on it.
 */
import { invalid, type FieldError } from "../field-error.ts";
import type { Draft } from "../object.ts";
import type { ServiceSpec } from "../types.ts";
import { validateClusterIpFields } from "../validation/service-addresses.ts";
import {
  clusterIpNone,
  familyOf,
  needsClusterIp,
  needsHealthCheckNodePort,
  needsNodePort,
  sameTexts,
  type IpFamilyName,
} from "../validation/service-traits.ts";
import { FieldFault } from "./ledger.ts";

type Spec = Draft<ServiceSpec>;

const policyPath = "spec.ipFamilyPolicy";

const otherFamily = (family: string | undefined): IpFamilyName => (family === "IPv4" ? "IPv6" : "IPv4");

/**
 * Lets clients send again what they sent first, without what was allocated for them: empty fields are filled from the
 * stored Service while its type still has them.
 */
export function keepAllocated(spec: Spec, old: ServiceSpec): void {
  if (needsClusterIp(spec) && needsClusterIp(old)) {
    if ((spec.clusterIP ?? "") === "" && old.clusterIP !== undefined) spec.clusterIP = old.clusterIP;
    if ((spec.clusterIPs?.length ?? 0) === 0 && old.clusterIPs !== undefined) spec.clusterIPs = [...old.clusterIPs];
  }
  if (needsNodePort(spec) && needsNodePort(old)) keepNodePorts(spec, old);
  if (needsHealthCheckNodePort(spec) && needsHealthCheckNodePort(old) && (spec.healthCheckNodePort ?? 0) === 0) {
    if (old.healthCheckNodePort !== undefined) spec.healthCheckNodePort = old.healthCheckNodePort;
  }
}

/** A port keeps its node port by name, unless another port of the new Service has it. */
function keepNodePorts(spec: Spec, old: ServiceSpec): void {
  const wanted = new Set((spec.ports ?? []).map((port) => port.nodePort ?? 0));
  const byName = new Map((old.ports ?? []).map((port) => [port.name ?? "", port.nodePort ?? 0]));
  for (const port of spec.ports ?? []) {
    const before = byName.get(port.name ?? "") ?? 0;
    if ((port.nodePort ?? 0) === 0 && before !== 0 && !wanted.has(before)) port.nodePort = before;
  }
}

/** Clients that know only `clusterIP` change `clusterIPs` with it. */
export function syncClusterIps(spec: Spec, old: ServiceSpec | undefined): void {
  const plural = spec.clusterIPs ?? [];
  if (old === undefined) {
    if ((spec.clusterIP ?? "") !== "" && plural.length === 0) spec.clusterIPs = [spec.clusterIP as string];
    return;
  }
  const before = old.clusterIP ?? "";
  if (before === (spec.clusterIP ?? "")) {
    if (plural.length === 0 && (old.clusterIPs?.length ?? 0) > 0) spec.clusterIPs = [...(old.clusterIPs ?? [])];
    return;
  }
  if (!sameTexts(plural, old.clusterIPs)) return;
  if (before !== "" && (spec.clusterIP ?? "") === "") delete spec.clusterIPs;
  else spec.clusterIPs = [spec.clusterIP as string];
}

/** A PreferDualStack Service does not change its families because the cluster gained or lost one. */
export function keepsPreferredFamilies(spec: ServiceSpec, old: ServiceSpec): boolean {
  return (
    spec.ipFamilyPolicy === "PreferDualStack" &&
    (old.ipFamilyPolicy === undefined || old.ipFamilyPolicy === "PreferDualStack") &&
    old.type === spec.type &&
    needsClusterIp(spec) &&
    sameTexts(spec.clusterIPs, old.clusterIPs) &&
    sameTexts(spec.ipFamilies, old.ipFamilies)
  );
}

/** Fills in ipFamilyPolicy and ipFamilies; throws `FieldFault` when the cluster cannot serve what is asked for. */
export function settleFamilies(spec: Spec, old: ServiceSpec | undefined, configured: readonly IpFamilyName[]): void {
  if (!needsClusterIp(spec) || (old !== undefined && keepsPreferredFamilies(spec, old))) return;
  spec.ipFamilyPolicy ??= old?.ipFamilyPolicy ?? (isSelectorlessHeadless(spec) ? "RequireDualStack" : "SingleStack");
  check(validateClusterIpFields(spec, old));
  const errors = old === undefined ? [] : releaseSecondary(spec, old);
  check([...errors, ...tooManyForSingleStack(spec), ...inferFamilies(spec, configured)]);
  if (isSelectorlessHeadless(spec)) return settleSelectorless(spec, configured);
  check(unavailableFamilies(spec, configured));
  const families = spec.ipFamilies ?? [];
  if (families.length === 0) families.push(configured[0] as IpFamilyName);
  if (spec.ipFamilyPolicy !== "SingleStack" && families.length === 1 && configured.length === 2) families.push(otherFamily(families[0]));
  spec.ipFamilies = families;
}

function check(errors: readonly FieldError[]): void {
  if (errors.length > 0) throw new FieldFault(errors);
}

/** Nothing selects its endpoints, so nothing limits their families either: it may have both in any cluster. */
function isSelectorlessHeadless(spec: ServiceSpec): boolean {
  return spec.clusterIP === clusterIpNone && Object.keys(spec.selector ?? {}).length === 0;
}

function settleSelectorless(spec: Spec, configured: readonly IpFamilyName[]): void {
  const families = spec.ipFamilies ?? [];
  if (families.length === 0) families.push(configured[0] as IpFamilyName);
  if (families.length === 1 && spec.ipFamilyPolicy !== "SingleStack") families.push(otherFamily(families[0]));
  spec.ipFamilies = families;
}

/** Changing the policy to SingleStack is enough to drop the second family; dropping it without that is an error. */
function releaseSecondary(spec: Spec, old: ServiceSpec): FieldError[] {
  if (spec.ipFamilyPolicy === "SingleStack") {
    if (spec.clusterIPs !== undefined && sameTexts(spec.clusterIPs, old.clusterIPs)) spec.clusterIPs = spec.clusterIPs.slice(0, 1);
    if (spec.ipFamilies !== undefined && sameTexts(spec.ipFamilies, old.ipFamilies)) spec.ipFamilies = spec.ipFamilies.slice(0, 1);
    return [];
  }
  const reduced = (now: readonly string[] = [], before: readonly string[] = []) => now.length > 0 && now.length < before.length;
  const fault = (what: string) => invalid(policyPath, spec.ipFamilyPolicy, `must be 'SingleStack' to release the secondary ${what}`);
  return [
    ...(reduced(spec.clusterIPs, old.clusterIPs) ? [fault("cluster IP")] : []),
    ...(reduced(spec.ipFamilies, old.ipFamilies) ? [fault("IP family")] : []),
  ];
}

function tooManyForSingleStack(spec: ServiceSpec): FieldError[] {
  if (spec.ipFamilyPolicy !== "SingleStack") return [];
  const fault = (what: string) =>
    invalid(policyPath, spec.ipFamilyPolicy, `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`);
  return [
    ...(spec.clusterIPs?.length === 2 ? [fault("cluster IPs")] : []),
    ...(spec.ipFamilies?.length === 2 ? [fault("IP families")] : []),
  ];
}

/** An address that is named tells its family. */
function inferFamilies(spec: Spec, configured: readonly IpFamilyName[]): FieldError[] {
  if (spec.clusterIPs?.[0] === clusterIpNone) return [];
  const families = (spec.ipFamilies ??= []);
  const errors: FieldError[] = [];
  for (const [index, address] of (spec.clusterIPs ?? []).entries()) {
    const family = familyOf(address);
    if (index < families.length || family === undefined) continue;
    if (configured.includes(family)) families.push(family);
    else errors.push(invalid(`spec.clusterIPs[${index}]`, spec.clusterIPs, `${family} is not configured on this cluster`));
  }
  return errors;
}

function unavailableFamilies(spec: ServiceSpec, configured: readonly IpFamilyName[]): FieldError[] {
  const missing = (spec.ipFamilies ?? []).flatMap((family, index) =>
    configured.includes(family as IpFamilyName) ? [] : [invalid(`spec.ipFamilies[${index}]`, family, "not configured on this cluster")],
  );
  if (spec.ipFamilyPolicy !== "RequireDualStack" || configured.length >= 2) return missing;
  return [invalid(policyPath, spec.ipFamilyPolicy, "this cluster is not configured for dual-stack services"), ...missing];
}
