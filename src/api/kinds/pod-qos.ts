/** A pod's quality of service, which decides who is evicted first (`pkg/apis/core/helper/qos`). */
import type { Container } from "../types.ts";

type Resources = Container["resources"];

const computeResources = ["cpu", "memory"] as const;

/** Guaranteed: all limits set and equal to the requests; BestEffort: nothing set; else Burstable. */
export function qosClass(
  containers: readonly { readonly resources?: Resources }[],
  initContainers: readonly { readonly resources?: Resources }[],
): string {
  const all = [...containers, ...initContainers].map(({ resources }) => resources ?? {});
  const sets = all.flatMap(({ limits, requests }) => computeResources.flatMap((name) => [limits?.[name], requests?.[name]]));
  if (sets.every((quantity) => quantity === undefined || quantity === "0")) return "BestEffort";
  const guaranteed = all.every(({ limits, requests }) =>
    computeResources.every((name) => limits?.[name] !== undefined && (requests?.[name] ?? limits[name]) === limits[name]),
  );
  return guaranteed ? "Guaranteed" : "Burstable";
}
