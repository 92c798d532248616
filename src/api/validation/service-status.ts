/** `status.loadBalancer` of a Service (validation.go `ValidateLoadBalancerStatus`). */
import { parseIpSloppy } from "../../lib/ip.ts";
import { forbidden, invalid, required, type FieldError } from "../field-error.ts";
import { dns1123Subdomain } from "../names.ts";
import type { LoadBalancerIngress, Service } from "../types.ts";
import { validateIp } from "./addresses.ts";
import { validateEnum, validateText } from "./values.ts";

export function validateLoadBalancerStatus({ spec, status }: Service): FieldError[] {
  const path = "status.loadBalancer.ingress";
  const ingress = status?.loadBalancer?.ingress ?? [];
  if (ingress.length > 0 && spec?.type !== "LoadBalancer") return [forbidden(path, "may only be used when `spec.type` is LoadBalancer")];
  return ingress.flatMap((point, index) => validateIngressPoint(point, `${path}[${index}]`));
}

function validateIngressPoint({ ip = "", ipMode, hostname = "" }: LoadBalancerIngress, path: string): FieldError[] {
  const errors = ip === "" ? [] : validateIp(`${path}.ip`, ip);
  if (ipMode === undefined && ip !== "") errors.push(required(`${path}.ipMode`, "must be specified when `ip` is set"));
  else if (ipMode !== undefined && ip === "") errors.push(forbidden(`${path}.ipMode`, "may not be specified when `ip` is not set"));
  else if (ipMode !== undefined) errors.push(...validateEnum(`${path}.ipMode`, ipMode, ["Proxy", "VIP"]));
  if (hostname === "") return errors;
  errors.push(...validateText(`${path}.hostname`, hostname, dns1123Subdomain));
  if (parseIpSloppy(hostname) !== undefined) errors.push(invalid(`${path}.hostname`, hostname, "must be a DNS name, not an IP address"));
  return errors;
}
