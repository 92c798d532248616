/** Nodes (validation.go `ValidateNode`, `ValidateNodeUpdate`). */
import { duplicate, forbidden, invalid, type FieldError } from "../field-error.ts";
import { labelValue, qualifiedName } from "../names.ts";
import type { Node, Taint } from "../types.ts";
import { validateCidr } from "./addresses.ts";
import { familyOf } from "./service-traits.ts";
import { validateEnum, validateText } from "./values.ts";

export function validateNode(node: Node, old: Node | undefined): FieldError[] {
  return [
    // Upstream names them so.
    ...validateTaints(node.spec?.taints ?? [], "metadata.taints"),
    ...validatePodCidrs(node.spec?.podCIDRs ?? [], old?.spec?.podCIDRs),
    ...(old === undefined ? [] : validateNodeUpdate(node, old)),
  ];
}

function validateTaints(taints: readonly Taint[], path: string): FieldError[] {
  const seen = new Set<string>();
  return taints.flatMap((taint, index) => {
    const item = `${path}[${index}]`;
    const key = `${taint.key}/${taint.effect}`;
    const clash = {
      ...duplicate(item, taint),
      message: `Duplicate value: ${JSON.stringify(taint)}: taints must be unique by key and effect pair`,
    };
    const errors = [
      ...validateText(`${item}.key`, taint.key ?? "", qualifiedName),
      ...validateText(`${item}.value`, taint.value ?? "", labelValue),
      ...validateEnum(`${item}.effect`, taint.effect, ["NoExecute", "NoSchedule", "PreferNoSchedule"]),
      ...(seen.has(key) ? [clash] : []),
    ];
    seen.add(key);
    return errors;
  });
}

function validatePodCidrs(cidrs: readonly string[], kept: readonly string[] | undefined): FieldError[] {
  const path = "spec.podCIDRs";
  const families = new Set(cidrs.map((cidr) => familyOf(cidr.split("/")[0] as string)));
  return [
    ...cidrs.flatMap((cidr, index) => validateCidr(`${path}[${index}]`, cidr, kept)),
    ...(cidrs.length > families.size ? [invalid(path, cidrs, "may specify no more than one CIDR for each IP family")] : []),
    ...cidrs.flatMap((cidr, index) => (cidrs.indexOf(cidr) < index ? [duplicate(`${path}[${index}]`, cidr)] : [])),
  ];
}

/** Both may be set once, by the kubelet or a controller, and then stay. */
function validateNodeUpdate({ spec = {} }: Node, { spec: old = {} }: Node): FieldError[] {
  const errors: FieldError[] = [];
  const before = old.podCIDRs ?? [];
  if (before.length > 0 && before.join() !== (spec.podCIDRs ?? []).join()) {
    errors.push(forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'));
  }
  if ((old.providerID ?? "") !== "" && old.providerID !== spec.providerID) {
    errors.push(forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid'));
  }
  return errors;
}
