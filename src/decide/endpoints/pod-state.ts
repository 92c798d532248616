/** What the status of a pod says, in the terms that endpoints need (upstream `pkg/api/v1/pod/util.go`). */
import { parseIp } from "../../lib/ip.ts";
import type { Pod, PodCondition } from "../../api/types.ts";

export type AddressType = "IPv4" | "IPv6";

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  // Asked of every pod of a Service whenever one of them changes: a loop takes half of what `find` takes.
  for (const condition of pod.status?.conditions ?? []) if (condition.type === type) return condition;
  return undefined;
}

export function isPodReady(pod: Pod): boolean {
  return podCondition(pod, "Ready")?.status === "True";
}

/** Ran to its end: it will never serve again. */
export function isPodFinished(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

export function isPodTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

/** Ready for at least `minReadySeconds` at `now` (milliseconds since the epoch). */
export function isPodAvailable(pod: Pod, minReadySeconds: number, now: number): boolean {
  if (!isPodReady(pod)) return false;
  if (minReadySeconds === 0) return true;
  const since = podCondition(pod, "Ready")?.lastTransitionTime;
  return since !== undefined && Date.parse(since) + minReadySeconds * 1000 <= now;
}

/** Every address of the pod, the first one first. */
export function podAddresses(pod: Pod): readonly string[] {
  const many = (pod.status?.podIPs ?? []).map(({ ip }) => ip);
  return many.length > 0 ? many : pod.status?.podIP ? [pod.status.podIP] : [];
}

export function podAddressesOf(pod: Pod, type: AddressType): readonly string[] {
  return podAddresses(pod).filter((address) => address.includes(":") === (type === "IPv6"));
}

/** Of a text that may be no address at all. */
export function addressTypeOf(address: string): AddressType | undefined {
  const ip = parseIp(address);
  return ip === undefined ? undefined : ip.family === 4 ? "IPv4" : "IPv6";
}
