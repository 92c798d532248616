/**
 * How a Service wants its connections carried, beyond what Kubernetes has fields for. Annotations of the Service, honoured by the
 * userspace mode alone: a kernel's NAT has one way to choose and cannot write into a connection.
 */
export const loadBalancingAnnotation = "fairlead.dev/load-balancing";
export const proxyProtocolAnnotation = "fairlead.dev/proxy-protocol";
export const perRequestAnnotation = "fairlead.dev/per-request";

export const algorithms = ["round-robin", "random", "least-connections", "source-hash", "maglev"] as const;
export type Algorithm = (typeof algorithms)[number];

export interface Traffic {
  readonly algorithm: Algorithm;
  /** The endpoint is told who connects, in a PROXY protocol header of this version (TCP only). */
  readonly proxyProtocol?: 1 | 2;
  /** Each request of a connection goes to an endpoint of its own, on ports that say they speak HTTP (`spokenHttp`). */
  readonly perRequest?: true;
  /** Annotations that were not understood, each a sentence. */
  readonly misunderstood: readonly string[];
}

/** Undefined: nothing is asked for. */
export function trafficOf(annotations: Readonly<Record<string, string>> = {}): Traffic | undefined {
  const wanted = annotations[loadBalancingAnnotation];
  const version = annotations[proxyProtocolAnnotation];
  const perRequest = annotations[perRequestAnnotation];
  if (wanted === undefined && version === undefined && perRequest === undefined) return undefined;
  const misunderstood: string[] = [];
  const algorithm = algorithms.find((known) => known === (wanted ?? "round-robin"));
  if (algorithm === undefined) misunderstood.push(`${loadBalancingAnnotation} is ${quoted(wanted)}; known: ${algorithms.join(", ")}`);
  if (version !== undefined && version !== "v1" && version !== "v2")
    misunderstood.push(`${proxyProtocolAnnotation} is ${quoted(version)}; known: v1, v2`);
  if (perRequest !== undefined && perRequest !== "true" && perRequest !== "false")
    misunderstood.push(`${perRequestAnnotation} is ${quoted(perRequest)}; known: true, false`);
  const proxyProtocol = version === "v1" ? 1 : version === "v2" ? 2 : undefined;
  return {
    algorithm: algorithm ?? "round-robin",
    ...(proxyProtocol === undefined ? {} : { proxyProtocol }),
    ...(perRequest === "true" ? { perRequest: true as const } : {}),
    misunderstood,
  };
}

/** What endpoints of a port with this `appProtocol` are spoken to in (KEP-3726, and the older names); undefined: not in plain HTTP. */
export function spokenHttp(appProtocol: string | undefined): "http1" | "h2c" | undefined {
  switch (appProtocol?.toLowerCase()) {
    case "http":
    case "kubernetes.io/ws":
      return "http1";
    case "kubernetes.io/h2c":
    case "h2c":
    case "grpc":
      return "h2c";
    default:
      return undefined;
  }
}

function quoted(text: string | undefined): string {
  return JSON.stringify((text ?? "").slice(0, 80));
}
