/**
 * ServiceCIDRs: protected by a finalizer while Services have addresses of theirs, and said to be ready (KEP-1880, upstream
 * `pkg/controller/servicecidrs`). Pure.
 */
import type { Condition, IPAddress, Service, ServiceCIDR } from "../../api/types.ts";
import { rfc3339 } from "../../lib/clock.ts";
import { cidrContains, parseCidr, parseIp, type Cidr } from "../../lib/ip.ts";

export const serviceCidrFinalizer = "networking.k8s.io/service-cidr-finalizer";

/** Milliseconds after the deletion until the finalizer goes: an allocator elsewhere may still give addresses of the range. */
export const deletionGrace = 10_000;

export interface ServiceCidrInput {
  readonly cidr: ServiceCIDR;
  readonly all: readonly ServiceCIDR[];
  readonly addresses: readonly IPAddress[];
  readonly services: readonly Service[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export type ServiceCidrPlan =
  | { readonly kind: "none" }
  | { readonly kind: "finalizers"; readonly finalizers: readonly string[] }
  | { readonly kind: "status"; readonly condition: Condition }
  /** Milliseconds. */
  | { readonly kind: "later"; readonly after: number };

export function planServiceCidr(input: ServiceCidrInput): ServiceCidrPlan {
  const { cidr, now } = input;
  const finalizers = cidr.metadata.finalizers ?? [];
  const isProtected = finalizers.includes(serviceCidrFinalizer);
  if (cidr.metadata.deletionTimestamp === undefined) {
    if (!isProtected) return { kind: "finalizers", finalizers: [...finalizers, serviceCidrFinalizer] };
    return toldUnlessKnown(cidr, ready, now);
  }
  if (!isProtected) return { kind: "none" };
  if (isNeeded(input)) return toldUnlessKnown(cidr, terminating, now);
  const left = deletionGrace - (now - Date.parse(cidr.metadata.deletionTimestamp));
  if (left > 0) return { kind: "later", after: left };
  return { kind: "finalizers", finalizers: finalizers.filter((name) => name !== serviceCidrFinalizer) };
}

type Verdict = Omit<Condition, "lastTransitionTime">;

const ready: Verdict = { type: "Ready", status: "True", reason: "", message: "Kubernetes Service CIDR is ready" };
const terminating: Verdict = {
  type: "Ready",
  status: "False",
  reason: "Terminating",
  message: "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR",
};

function toldUnlessKnown({ status }: ServiceCIDR, verdict: Verdict, now: number): ServiceCidrPlan {
  const known = status?.conditions?.find(({ type }) => type === verdict.type);
  const same = known?.status === verdict.status && (known.reason ?? "") === verdict.reason && known.message === verdict.message;
  return same ? { kind: "none" } : { kind: "status", condition: { ...verdict, lastTransitionTime: rfc3339(now) } };
}

const rangesOf = ({ spec }: ServiceCIDR): readonly Cidr[] => (spec?.cidrs ?? []).flatMap((text) => parseCidr(text) ?? []);

const within = (outer: Cidr, inner: Cidr): boolean =>
  outer.bits <= inner.bits && cidrContains(outer, { family: inner.family, value: inner.base });

/** Some Service has an address that is in no other range. */
function isNeeded({ cidr, all, addresses, services }: ServiceCidrInput): boolean {
  const others = all.filter(({ metadata }) => metadata.name !== cidr.metadata.name).flatMap(rangesOf);
  const alone = rangesOf(cidr).filter((range) => !others.some((other) => within(other, range)));
  if (alone.length === 0) return false;
  // An address is a Service's before its IPAddress is there.
  const held = [...addresses.map(({ metadata }) => metadata.name ?? ""), ...services.flatMap(({ spec }) => spec?.clusterIPs ?? [])];
  return held.some((text) => {
    const ip = parseIp(text);
    return ip !== undefined && alone.some((range) => cidrContains(range, ip)) && !others.some((range) => cidrContains(range, ip));
  });
}
