/** The names that a resolver in a pod asks for one after the other (resolv.conf(5); Kubernetes "DNS for Services and Pods"). */
import { absolute } from "../../decide/dns/name.ts";

export interface PodResolver {
  /** Of the pod. */
  readonly address: string;
  readonly namespace: string;
  readonly ndots: number;
  /** Beside those of the cluster. */
  readonly searches: readonly string[] | undefined;
}

/** Absolute names, in order. Without a resolver: the name alone. */
export function searchList(name: string, resolver: PodResolver | undefined, domain = "cluster.local"): readonly string[] {
  const whole = absolute(name);
  if (resolver === undefined || name.endsWith(".")) return [whole];
  const { namespace, ndots, searches = [] } = resolver;
  const domains = [`${namespace}.svc.${domain}`, `svc.${domain}`, domain, ...searches];
  const expanded = domains.map((one) => absolute(`${name}.${one}`));
  const dots = name.split(".").length - 1;
  return [...new Set(dots >= ndots ? [whole, ...expanded] : [...expanded, whole])];
}
