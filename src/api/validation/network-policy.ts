/** NetworkPolicies (`pkg/apis/networking/validation/validation.go`). */
import { cidrContains, parseCidr } from "../../lib/ip.ts";
import { forbidden, invalid, notSupported, required, type FieldError } from "../field-error.ts";
import { portName, portNumber } from "../names.ts";
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec } from "../types.ts";
import { validateCidr } from "./addresses.ts";
import { validateSelectorField } from "./selector.ts";
import { protocols, validateText } from "./values.ts";

export function validateNetworkPolicy({ spec = {} }: NetworkPolicy, old: NetworkPolicy | undefined): FieldError[] {
  // Where a block was cannot be told any more, so any that was stored is good anywhere.
  const kept = peersOf(old?.spec ?? {}).flatMap(({ ipBlock }) => (ipBlock === undefined ? [] : [ipBlock.cidr, ...(ipBlock.except ?? [])]));
  return [
    ...validateSelectorField(spec.podSelector, "spec.podSelector"),
    ...(spec.ingress ?? []).flatMap(({ ports = [], from = [] }, index) => [
      ...ports.flatMap((port, at) => validatePort(port, `spec.ingress[${index}].ports[${at}]`)),
      ...from.flatMap((peer, at) => validatePeer(peer, kept, `spec.ingress[${index}].from[${at}]`)),
    ]),
    ...(spec.egress ?? []).flatMap(({ ports = [], to = [] }, index) => [
      ...ports.flatMap((port, at) => validatePort(port, `spec.egress[${index}].ports[${at}]`)),
      ...to.flatMap((peer, at) => validatePeer(peer, kept, `spec.egress[${index}].to[${at}]`)),
    ]),
    ...validateTypes(spec),
  ];
}

function peersOf({ ingress = [], egress = [] }: NetworkPolicySpec): readonly NetworkPolicyPeer[] {
  return [...ingress.flatMap(({ from = [] }) => from), ...egress.flatMap(({ to = [] }) => to)];
}

function validatePort({ protocol, port, endPort }: NetworkPolicyPort, path: string): FieldError[] {
  return [
    ...(protocol === undefined || protocols.includes(protocol) ? [] : [notSupported(`${path}.protocol`, protocol, protocols)]),
    ...(typeof port === "number" ? portNumber(port).map((fault) => invalid(`${path}.port`, port, fault)) : []),
    ...(typeof port === "string" ? validateText(`${path}.port`, port, portName) : []),
    ...(endPort === undefined ? [] : validateEndPort(port, endPort, `${path}.endPort`)),
  ];
}

function validateEndPort(port: number | string | undefined, endPort: number, path: string): FieldError[] {
  if (port === undefined) return [invalid(path, endPort, "may not be specified when `port` is not specified")];
  if (typeof port === "string") return [invalid(path, endPort, "may not be specified when `port` is non-numeric")];
  return [
    ...(endPort < port ? [invalid(path, endPort, "must be greater than or equal to `port`")] : []),
    ...portNumber(endPort).map((fault) => invalid(path, endPort, fault)),
  ];
}

function validatePeer({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, kept: readonly string[], path: string): FieldError[] {
  const selectors = [podSelector, namespaceSelector].filter((selector) => selector !== undefined).length;
  return [
    ...validateSelectorField(podSelector, `${path}.podSelector`),
    ...validateSelectorField(namespaceSelector, `${path}.namespaceSelector`),
    ...(ipBlock === undefined ? [] : validateBlock(ipBlock, kept, `${path}.ipBlock`)),
    ...(selectors === 0 && ipBlock === undefined ? [required(path, "must specify a peer")] : []),
    ...(selectors > 0 && ipBlock !== undefined ? [forbidden(path, "may not specify both ipBlock and another peer")] : []),
  ];
}

function validateBlock({ cidr = "", except = [] }: IPBlock, kept: readonly string[], path: string): FieldError[] {
  if (cidr === "") return [required(`${path}.cidr`)];
  const outer = parseCidr(cidr);
  return [
    ...validateCidr(`${path}.cidr`, cidr, kept),
    ...except.flatMap((text, index) => {
      const item = `${path}.except[${index}]`;
      const inner = parseCidr(text);
      const inside =
        inner === undefined ||
        outer === undefined ||
        (inner.bits > outer.bits && cidrContains(outer, { family: inner.family, value: inner.base }));
      return [...validateCidr(item, text, kept), ...(inside ? [] : [invalid(item, text, "must be a strict subset of `cidr`")])];
    }),
  ];
}

function validateTypes({ policyTypes = [] }: NetworkPolicySpec): FieldError[] {
  const path = "spec.policyTypes";
  const types = ["Ingress", "Egress"];
  if (policyTypes.length > types.length) return [invalid(path, policyTypes, "may not specify more than two policyTypes")];
  return policyTypes.flatMap((type, index) => (types.includes(type) ? [] : [notSupported(`${path}[${index}]`, type, types, "as given")]));
}
