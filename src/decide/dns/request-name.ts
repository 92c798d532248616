/**
 * What a name inside the cluster's zone asks for, by its labels alone (Kubernetes DNS-Based Service Discovery 1.1.0; CoreDNS
 * `plugin/kubernetes/parse.go`):
 *
 *     SERVICE.NAMESPACE.svc            ENDPOINT.SERVICE.NAMESPACE.svc       _PORT._PROTOCOL.SERVICE.NAMESPACE.svc
 *     A-B-C-D.NAMESPACE.pod            ZONE.pin._zone.SERVICE.NAMESPACE.svc (and `prefer`; only with the option `zonal`)
 *
 * Wildcards have no meaning: `*` is a label like any other (CoreDNS since 1.9).
 */
import { labelsOf } from "./name.ts";

export interface RequestName {
  readonly branch: "svc" | "pod";
  readonly namespace: string;
  /** Empty when the name ends at the namespace. For pods: the dashed address. */
  readonly service: string;
  readonly endpoint: string;
  readonly port: string;
  readonly protocol: string;
  /** The topology zone; empty without one. */
  readonly zone: string;
  /** With a zone: `prefer` falls back to every endpoint where the zone holds none; `pin` does not. */
  readonly prefer: boolean;
}

/** `apex`: the zone itself, `svc` or `pod` directly below it: they exist and hold nothing. */
export type ParsedName = RequestName | "apex" | "invalid";

/** `relative`: folded, without the zone. */
export function parseRequestName(relative: string, zonal: boolean): ParsedName {
  if (relative === "" || relative === "svc" || relative === "pod") return "apex";
  const labels = labelsOf(relative);
  const branch = labels.pop();
  if (branch !== "svc" && branch !== "pod") return "invalid";
  const namespace = labels.pop() ?? "";
  const service = labels.pop() ?? "";
  const base = { branch, namespace, service, endpoint: "", port: "", protocol: "", zone: "", prefer: false } as const;
  switch (labels.length) {
    case 0:
      return base;
    case 1:
      return { ...base, endpoint: labels[0] as string };
    case 2:
      return { ...base, port: withoutUnderscore(labels[0] as string), protocol: withoutUnderscore(labels[1] as string) };
    default:
      return zonal && branch === "svc" ? zonalName(base, labels) : "invalid";
  }
}

function zonalName(base: RequestName, labels: readonly string[]): ParsedName {
  const directive = labels.at(-2);
  if (labels.at(-1) !== "_zone" || (directive !== "pin" && directive !== "prefer")) return "invalid";
  // A zone's label value may hold dots: it is everything to the left of the directive.
  return { ...base, zone: labels.slice(0, -2).join("."), prefer: directive === "prefer" };
}

function withoutUnderscore(label: string): string {
  return label.startsWith("_") ? label.slice(1) : label;
}
