/** Resource requests and limits (validation.go `validateResourceRequirements`). */
import { invalid, type FieldError } from "../field-error.ts";
import { qualifiedName } from "../names.ts";
import { compareQuantities, parseQuantity } from "../quantity.ts";
import type { ResourceRequirements } from "../types.ts";
import { validateText } from "./values.ts";

const standardResources: readonly string[] = ["cpu", "memory", "ephemeral-storage"];

export function validateResources({ limits = {}, requests = {} }: ResourceRequirements, path: string): FieldError[] {
  return [
    ...Object.entries(limits).flatMap(([name, quantity]) => validateResource(name, quantity, `${path}.limits[${name}]`)),
    ...Object.entries(requests).flatMap(([name, quantity]) => [
      ...validateResource(name, quantity, `${path}.requests[${name}]`),
      ...validateWithinLimit(name, quantity, limits[name], `${path}.requests`),
    ]),
  ];
}

function validateResource(name: string, quantity: string, path: string): FieldError[] {
  const standard = name.includes("/") || name.startsWith("hugepages-") || standardResources.includes(name);
  return [
    ...validateText(path, name, qualifiedName),
    ...(standard ? [] : [invalid(path, name, "must be a standard resource for containers")]),
    ...(quantity.startsWith("-") ? [invalid(path, quantity, "must be greater than or equal to 0")] : []),
  ];
}

function validateWithinLimit(name: string, request: string, limit: string | undefined, path: string): FieldError[] {
  const [asked, most] = [parseQuantity(request), limit === undefined ? undefined : parseQuantity(limit)];
  if (asked === undefined || most === undefined || compareQuantities(asked, most) <= 0) return [];
  return [invalid(path, request, `must be less than or equal to ${name} limit of ${limit}`)];
}
