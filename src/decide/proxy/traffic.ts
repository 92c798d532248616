/**
 * How a Service wants its connections carried, beyond what Kubernetes has fields for. Annotations of the Service, honoured by the
 * userspace mode alone: a kernel's NAT has one way to choose and cannot write into a connection.
 */
export const loadBalancingAnnotation = "fairlead.dev/load-balancing";
export const proxyProtocolAnnotation = "fairlead.dev/proxy-protocol";

export const algorithms = ["round-robin", "random", "least-connections", "source-hash", "maglev"] as const;
export type Algorithm = (typeof algorithms)[number];

export interface Traffic {
  readonly algorithm: Algorithm;
  /** The endpoint is told who connects, in a PROXY protocol header of this version (TCP only). */
  readonly proxyProtocol?: 1 | 2;
  /** Annotations that were not understood, each a sentence. */
  readonly misunderstood: readonly string[];
}

/** Undefined: nothing is asked for. */
export function trafficOf(annotations: Readonly<Record<string, string>> = {}): Traffic | undefined {
  const wanted = annotations[loadBalancingAnnotation];
  const version = annotations[proxyProtocolAnnotation];
  if (wanted === undefined && version === undefined) return undefined;
  const misunderstood: string[] = [];
  const algorithm = algorithms.find((known) => known === (wanted ?? "round-robin"));
  if (algorithm === undefined) misunderstood.push(`${loadBalancingAnnotation} is ${quoted(wanted)}; known: ${algorithms.join(", ")}`);
  if (version !== undefined && version !== "v1" && version !== "v2")
    misunderstood.push(`${proxyProtocolAnnotation} is ${quoted(version)}; known: v1, v2`);
  const proxyProtocol = version === "v1" ? 1 : version === "v2" ? 2 : undefined;
  return { algorithm: algorithm ?? "round-robin", ...(proxyProtocol === undefined ? {} : { proxyProtocol }), misunderstood };
}

function quoted(text: string | undefined): string {
  return JSON.stringify((text ?? "").slice(0, 80));
}
