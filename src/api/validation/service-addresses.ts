/** clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy of a Service, and how they may change (KEP-563 dual stack). */
import { duplicate, invalid, notSupported, required, type FieldError } from "../field-error.ts";
import type { ServiceSpec } from "../types.ts";
import { validateIp } from "./addresses.ts";
import { clusterIpNone, familyOf, isHeadless } from "./service-traits.ts";
import { validateOptionalEnum } from "./values.ts";

const families: readonly string[] = ["IPv4", "IPv6"];
const familyPolicies: readonly string[] = ["PreferDualStack", "RequireDualStack", "SingleStack"];

/** The four fields by themselves and against each other. An ExternalName has none of them: see `service.ts`. */
export function validateClusterIpFields(spec: ServiceSpec, old?: ServiceSpec): FieldError[] {
  if (spec.type === "ExternalName") return [];
  const clusterIPs = spec.clusterIPs ?? [];
  const misplaced = clusterIPs[0] === clusterIpNone && clusterIPs.length > 1;
  const addresses = validateAddresses(clusterIPs, old?.clusterIPs);
  const errors = [
    ...validateSingular(spec),
    ...validateFamilies(spec.ipFamilies ?? []),
    ...validateOptionalEnum("spec.ipFamilyPolicy", spec.ipFamilyPolicy, familyPolicies),
    ...(misplaced ? [invalid("spec.clusterIPs", clusterIPs, "'None' must be the first and only value")] : []),
    ...addresses,
    ...(clusterIPs.length > 2 ? [invalid("spec.clusterIPs", clusterIPs, "may only hold up to 2 values")] : []),
  ];
  // With a bad address the checks between addresses would only mislead.
  if (misplaced || addresses.length > 0) return errors;
  return [...errors, ...validateOnePerFamily(clusterIPs), ...validateMatchingFamilies(spec)];
}

/** `clusterIP` and `clusterIPs[0]` are one value. */
function validateSingular({ clusterIP = "", clusterIPs = [] }: ServiceSpec): FieldError[] {
  if (clusterIP === "") {
    return clusterIPs.length === 0 ? [] : [invalid("spec.clusterIPs", clusterIPs, "must be empty when `clusterIP` is not specified")];
  }
  if (clusterIPs.length === 0) return [required("spec.clusterIPs")];
  return clusterIPs[0] === clusterIP ? [] : [invalid("spec.clusterIPs", clusterIPs, "first value must match `clusterIP`")];
}

function validateFamilies(ipFamilies: readonly string[]): FieldError[] {
  return ipFamilies.flatMap((family, index) => {
    const path = `spec.ipFamilies[${index}]`;
    return [
      ...(families.includes(family) ? [] : [notSupported(path, family, families)]),
      ...(ipFamilies.indexOf(family) < index ? [duplicate(path, family)] : []),
    ];
  });
}

function validateAddresses(clusterIPs: readonly string[], kept: readonly string[] | undefined): FieldError[] {
  return clusterIPs.flatMap((address, index) =>
    index === 0 && address === clusterIpNone ? [] : validateIp(`spec.clusterIPs[${index}]`, address, kept),
  );
}

function validateOnePerFamily(clusterIPs: readonly string[]): FieldError[] {
  if (clusterIPs.length < 2 || new Set(clusterIPs.map(familyOf)).size === 2) return [];
  return [invalid("spec.clusterIPs", clusterIPs, "may specify no more than one IP for each IP family")];
}

function validateMatchingFamilies(spec: ServiceSpec): FieldError[] {
  if (isHeadless(spec)) return [];
  return (spec.clusterIPs ?? []).flatMap((address, index) => {
    const family = spec.ipFamilies?.[index];
    if (family === undefined || !families.includes(family) || familyOf(address) === family) return [];
    return [invalid(`spec.clusterIPs[${index}]`, address, `expected an ${family} value as indicated by \`ipFamilies[${index}]\``)];
  });
}

const changesExternalName = (next: ServiceSpec, previous: ServiceSpec): boolean =>
  next.type === "ExternalName" || previous.type === "ExternalName";

/** A second address may come and, with SingleStack, go; the others stay (`validateUpgradeDowngradeClusterIPs`). */
export function validateClusterIpsUpdate(next: ServiceSpec, previous: ServiceSpec): FieldError[] {
  if (changesExternalName(next, previous) || (isHeadless(next) && isHeadless(previous))) return [];
  const [now, before] = [next.clusterIPs ?? [], previous.clusterIPs ?? []];
  const changed = (index: number) => invalid(`spec.clusterIPs[${index}]`, now, "may not change once set");
  if (now.length === before.length) return before.flatMap((address, index) => (address === now[index] ? [] : [changed(index)]));
  const primaryChanged = before.length > 0 && now.length > 0 && now[0] !== before[0];
  return [
    ...(now.length === 0 ? [invalid("spec.clusterIPs[0]", next.clusterIPs ?? null, "primary clusterIP can not be unset")] : []),
    ...(primaryChanged ? [changed(0)] : []),
    ...(now.length < before.length ? validateRelease(next, now.length, "clusterIP") : []),
  ];
}

/** The same for families; a headless Service may change them as it likes. */
export function validateIpFamiliesUpdate(next: ServiceSpec, previous: ServiceSpec): FieldError[] {
  if (changesExternalName(next, previous) || isHeadless(next) || isHeadless(previous)) return [];
  const [now, before] = [next.ipFamilies ?? [], previous.ipFamilies ?? []];
  const path = "spec.ipFamilies[0]";
  if (now.length === before.length) {
    return before.flatMap((family, index) => (family === now[index] ? [] : [invalid(path, now, "may not change once set")]));
  }
  const primaryChanged = before.length > 0 && now.length > 0 && now[0] !== before[0];
  const errors = primaryChanged ? [invalid(path, next.clusterIPs ?? null, "may not change once set")] : [];
  if (now.length > before.length) return errors;
  const unset = (next.clusterIPs?.length ?? 0) === 0 ? [invalid(path, next.ipFamilies ?? null, "primary ipFamily can not be unset")] : [];
  return [...unset, ...errors, ...validateRelease(next, now.length, "ipFamily")];
}

function validateRelease(next: ServiceSpec, left: number, what: "clusterIP" | "ipFamily"): FieldError[] {
  if (left !== 1 || next.ipFamilyPolicy === "SingleStack") return [];
  return [invalid("spec.ipFamilyPolicy", next.ipFamilyPolicy ?? null, `must be set to 'SingleStack' when releasing the secondary ${what}`)];
}
