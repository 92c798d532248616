/** ServiceCIDRs and IPAddresses (`pkg/apis/networking/validation/validation.go`). */
import { formatIp, parseIp } from "../../lib/ip.ts";
import { equalSemantics } from "../equality.ts";
import { invalid, required, type FieldError } from "../field-error.ts";
import { dns1123Subdomain, pathSegment } from "../names.ts";
import type { IPAddress, ServiceCIDR } from "../types.ts";
import { validateCidr } from "./addresses.ts";
import { familyOf } from "./service-traits.ts";
import { validateText } from "./values.ts";

const path = "spec.cidrs";

export function validateServiceCidr({ spec }: ServiceCIDR, old: ServiceCIDR | undefined): FieldError[] {
  const cidrs = spec?.cidrs ?? [];
  return old === undefined ? validateCidrs(cidrs) : validateChange(cidrs, old.spec?.cidrs ?? []);
}

function validateCidrs(cidrs: readonly string[]): FieldError[] {
  if (cidrs.length === 0) return [required(path, "at least one CIDR required")];
  if (cidrs.length > 2) return [invalid(path, cidrs, "may only hold up to 2 values")];
  const families = cidrs.map((cidr) => familyOf(cidr.split("/")[0] as string));
  const same = families.length === 2 && families[0] !== undefined && families[0] === families[1];
  const detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
  return [...cidrs.flatMap((cidr, index) => validateCidr(`${path}[${index}]`, cidr)), ...(same ? [invalid(path, cidrs, detail)] : [])];
}

/** It may become dual-stack; Services have addresses from the rest. */
function validateChange(cidrs: readonly string[], old: readonly string[]): FieldError[] {
  const grows = old.length === 1 && cidrs.length === 2;
  if (!grows && cidrs.length !== old.length) return [invalid(path, cidrs, "field is immutable")];
  const changed = old.flatMap((cidr, index) =>
    cidr === cidrs[index] ? [] : [invalid(`${path}[${index}]`, cidrs[index], "field is immutable")],
  );
  return grows ? [...changed, ...validateCidrs(cidrs)] : changed;
}

export function validateIpAddress({ metadata, spec }: IPAddress, old: IPAddress | undefined): FieldError[] {
  const { group = "", resource = "", name = "", namespace = "" } = spec?.parentRef ?? {};
  const at = "spec.parentRef";
  return [
    ...validateName(metadata.name ?? ""),
    ...(spec?.parentRef === undefined ? [required(at)] : []),
    ...(group === "" ? [] : validateText(`${at}.group`, group, dns1123Subdomain)),
    ...(resource === "" ? [required(`${at}.resource`)] : validateText(`${at}.resource`, resource, pathSegment)),
    ...(name === "" ? [required(`${at}.name`)] : validateText(`${at}.name`, name, pathSegment)),
    ...(namespace === "" ? [] : validateText(`${at}.namespace`, namespace, pathSegment)),
    ...(old === undefined || equalSemantics(spec?.parentRef, old.spec?.parentRef)
      ? []
      : [invalid(at, spec?.parentRef, "field is immutable")]),
  ];
}

/** Its name is the address, in the one form that an address has. */
function validateName(name: string): FieldError[] {
  const ip = parseIp(name);
  if (ip === undefined) return [invalid("metadata.name", name, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")];
  const canonical = formatIp(ip);
  return canonical === name ? [] : [invalid("metadata.name", name, `must be in canonical form (${JSON.stringify(canonical)})`)];
}
