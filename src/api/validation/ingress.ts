/** Ingresses and IngressClasses (`pkg/apis/networking/validation/validation.go`, 1.36). */
import { parseIpSloppy } from "../../lib/ip.ts";
import { forbidden, invalid, notSupported, required, tooLong, type FieldError } from "../field-error.ts";
import {
  dns1123Label,
  dns1123Subdomain,
  domainPrefixedPath,
  pathSegment,
  portName,
  portNumber,
  wildcardDns1123Subdomain,
} from "../names.ts";
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressClass,
  IngressClassParametersReference,
  IngressLoadBalancerIngress,
  IngressServiceBackend,
  IngressSpec,
  TypedLocalObjectReference,
} from "../types.ts";
import { validateIp } from "./addresses.ts";
import { validateText } from "./values.ts";

/** How a class was named before `spec.ingressClassName`. */
export const ingressClassAnnotation = "kubernetes.io/ingress.class";

export function validateIngress({ metadata, spec = {} }: Ingress, old: Ingress | undefined): FieldError[] {
  const errors = validateIngressSpec(spec, old?.spec);
  const named = metadata.annotations?.[ingressClassAnnotation];
  const clash = named !== undefined && spec.ingressClassName !== undefined && named !== spec.ingressClassName;
  if (old !== undefined || !clash) return errors;
  const path = `annotations.${ingressClassAnnotation}`;
  return [...errors, invalid(path, named, "must match `ingressClassName` when both are specified")];
}

function validateIngressSpec(spec: IngressSpec, old: IngressSpec | undefined): FieldError[] {
  const { rules = [], defaultBackend, ingressClassName } = spec;
  return [
    ...(rules.length === 0 && defaultBackend === undefined
      ? [invalid("spec", spec.rules ?? null, "either `defaultBackend` or `rules` must be specified")]
      : []),
    ...(defaultBackend === undefined ? [] : validateBackend(defaultBackend, "spec.defaultBackend")),
    ...validateRules(rules, old),
    ...validateTls(spec, old),
    ...(ingressClassName === undefined ? [] : validateText("spec.ingressClassName", ingressClassName, dns1123Subdomain)),
  ];
}

const isWildcard = (host: string): boolean => host.includes("*");

const validateHost = (path: string, host: string): FieldError[] =>
  validateText(path, host, isWildcard(host) ? wildcardDns1123Subdomain : dns1123Subdomain);

function validateRules(rules: NonNullable<IngressSpec["rules"]>, old: IngressSpec | undefined): FieldError[] {
  // Stored before wildcard rules were checked: such an object stays writable.
  const lenient = (old?.rules ?? []).some(({ host = "", http }) => isWildcard(host) && validateHttp(http, "").length > 0);
  return rules.flatMap(({ host = "", http }, index) => {
    const path = `spec.rules[${index}]`;
    return [
      ...(host !== "" && parseIpSloppy(host) !== undefined ? [invalid(`${path}.host`, host, "must be a DNS name, not an IP address")] : []),
      ...(host === "" ? [] : validateHost(`${path}.host`, host)),
      ...(lenient && isWildcard(host) ? [] : validateHttp(http, `${path}.http`)),
    ];
  });
}

function validateHttp(http: { readonly paths?: readonly HTTPIngressPath[] } | undefined, path: string): FieldError[] {
  if (http === undefined) return [];
  const { paths = [] } = http;
  if (paths.length === 0) return [required(`${path}.paths`)];
  return paths.flatMap((one, index) => validatePath(one, `${path}.paths[${index}]`));
}

const unsafeSequences = ["//", "/./", "/../", "%2f", "%2F"];
const unsafeEndings = ["/..", "/."];

function validatePath(rule: HTTPIngressPath, at: string): FieldError[] {
  const { pathType } = rule;
  if (pathType === undefined) return [required(`${at}.pathType`, "pathType must be specified")];
  return [...validatePathText(rule, at), ...validateBackend(rule.backend ?? {}, `${at}.backend`)];
}

function validatePathText({ pathType, path = "" }: HTTPIngressPath, at: string): FieldError[] {
  const field = `${at}.path`;
  const relative = path.startsWith("/") ? [] : [invalid(field, path, "must be an absolute path")];
  switch (pathType) {
    case "Exact":
    case "Prefix":
      return [
        ...relative,
        ...unsafeSequences.filter((part) => path.includes(part)).map((part) => invalid(field, path, `must not contain '${part}'`)),
        ...unsafeEndings.filter((part) => path.endsWith(part)).map((part) => invalid(field, path, `cannot end with '${part}'`)),
      ];
    case "ImplementationSpecific":
      return path === "" ? [] : relative;
    default:
      return [notSupported(`${at}.pathType`, pathType, ["Exact", "ImplementationSpecific", "Prefix"])];
  }
}

function validateBackend({ resource, service }: IngressBackend, path: string): FieldError[] {
  if (resource !== undefined && service !== undefined) return [invalid(path, "", "cannot set both resource and service backends")];
  if (resource !== undefined) return validateReference(resource, `${path}.resource`);
  if (service !== undefined) return validateServiceBackend(service, path);
  return [invalid(path, "", "resource or service backend is required")];
}

function validateServiceBackend({ name = "", port }: IngressServiceBackend, path: string): FieldError[] {
  const errors = name === "" ? [required(`${path}.service.name`)] : validateText(`${path}.service.name`, name, dns1123Label);
  const { name: portText = "", number = 0 } = port ?? {};
  if (portText !== "" && number !== 0) return [...errors, invalid(path, "", "cannot set both port name & port number")];
  if (portText !== "") return [...errors, ...validateText(`${path}.service.port.name`, portText, portName)];
  if (number === 0) return [...errors, required(path, "port name or number is required")];
  return [...errors, ...portNumber(number).map((fault) => invalid(`${path}.service.port.number`, number, fault))];
}

function validateReference({ apiGroup, kind = "", name = "" }: TypedLocalObjectReference, path: string): FieldError[] {
  return [
    ...(apiGroup === undefined ? [] : validateText(`${path}.apiGroup`, apiGroup, dns1123Subdomain)),
    ...(kind === "" ? [required(`${path}.kind`)] : validateText(`${path}.kind`, kind, pathSegment)),
    ...(name === "" ? [required(`${path}.name`)] : validateText(`${path}.name`, name, pathSegment)),
  ];
}

function validateTls({ tls = [] }: IngressSpec, old: IngressSpec | undefined): FieldError[] {
  const secretFaults = (name: string) => (name === "" ? [] : dns1123Subdomain(name));
  const lenient = (old?.tls ?? []).some(({ secretName = "" }) => secretFaults(secretName).length > 0);
  return tls.flatMap(({ hosts = [], secretName = "" }, index) => [
    ...hosts.flatMap((host, at) => validateHost(`spec.tls[${index}].hosts[${at}]`, host)),
    ...(lenient ? [] : secretFaults(secretName).map((fault) => invalid(`spec.tls[${index}].secretName`, secretName, fault))),
  ]);
}

export function validateIngressStatus({ status }: Ingress, old: Ingress): FieldError[] {
  const kept = (old.status?.loadBalancer?.ingress ?? []).flatMap(({ ip = "" }) => (ip === "" ? [] : [ip]));
  return (status?.loadBalancer?.ingress ?? []).flatMap((point, index) =>
    validateIngressPoint(point, `status.loadBalancer.ingress[${index}]`, kept),
  );
}

function validateIngressPoint({ ip = "", hostname = "" }: IngressLoadBalancerIngress, path: string, kept: readonly string[]): FieldError[] {
  const named = hostname !== "" && parseIpSloppy(hostname) !== undefined;
  return [
    ...(ip === "" ? [] : validateIp(`${path}.ip`, ip, kept)),
    ...(hostname === "" ? [] : validateText(`${path}.hostname`, hostname, dns1123Subdomain)),
    ...(named ? [invalid(`${path}.hostname`, hostname, "must be a DNS name, not an IP address")] : []),
  ];
}

const maxControllerBytes = 250;

export function validateIngressClass({ spec = {} }: IngressClass, old: IngressClass | undefined): FieldError[] {
  const path = "spec.controller";
  const { controller = "", parameters } = spec;
  const long = Buffer.byteLength(controller) > maxControllerBytes;
  return [
    ...(old !== undefined && controller !== (old.spec?.controller ?? "") ? [invalid(path, controller, "field is immutable")] : []),
    ...(controller === "" ? [required(path)] : []),
    ...(long ? [tooLong(path, maxControllerBytes)] : []),
    ...(controller === "" ? [] : validateText(path, controller, domainPrefixedPath)),
    ...(parameters === undefined ? [] : validateParameters(parameters, "spec.parameters")),
  ];
}

function validateParameters(parameters: IngressClassParametersReference, path: string): FieldError[] {
  return [...validateReference(parameters, path), ...validateScope(parameters, path)];
}

function validateScope({ scope, namespace }: IngressClassParametersReference, path: string): FieldError[] {
  switch (scope) {
    case undefined:
      return [required(`${path}.scope`)];
    case "Cluster":
      return namespace === undefined ? [] : [forbidden(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'")];
    case "Namespace":
      return namespace === undefined
        ? [required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'")]
        : validateText(`${path}.namespace`, namespace, dns1123Label);
    default:
      return [notSupported(`${path}.scope`, scope, ["Cluster", "Namespace"])];
  }
}
