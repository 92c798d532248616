/** `resourceFieldRef`: a container's own limits and requests (upstream pkg/api/v1/resource/helpers.go `ExtractContainerResourceValue`). */
import type { Container, Pod, ResourceFieldSelector } from "../api/types.ts";
import { parseQuantity } from "../api/quantity.ts";
import type { PodFacts } from "./pod-fields.ts";

/** Quantities are counted in billionths. */
const nano = 1_000_000_000n;

/** The amount divided by the divisor and rounded up; a limit that is not set is what the node has, a request 0. */
export function resourceValue(pod: Pod, container: Container | undefined, ref: ResourceFieldSelector, facts: PodFacts): string {
  const named = pod.spec?.containers.find(({ name }) => name === ref.containerName) ?? container;
  const [list, resource = ""] = ref.resource.split(/\.(.*)/s) as [string, string?];
  const amounts = list === "limits" ? named?.resources?.limits : named?.resources?.requests;
  const amount = amounts?.[resource] === undefined ? (list === "limits" ? nodeAmount(resource, facts) : 0n) : amountOf(amounts[resource]);
  const divisor = amountOf(ref.divisor ?? "1") || nano;
  return String((amount + divisor - 1n) / divisor);
}

function nodeAmount(resource: string, { allocatable }: PodFacts): bigint {
  if (resource === "cpu") return BigInt(allocatable.cpuCores) * nano;
  return resource === "memory" ? BigInt(allocatable.memoryBytes) * nano : 0n;
}

/** Validation has seen to it that the text is a quantity. */
function amountOf(text: string): bigint {
  return parseQuantity(text)?.nano ?? 0n;
}
