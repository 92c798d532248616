/** Why an object is not, or not wholly, in the route table. Reasons are stable words: Events and `-o json` show them. */

/** What of which object: `{ kind: "Ingress", namespace: "shop", name: "web", field: "spec.rules[0].http.paths[1]" }`. */
export interface SourceRef {
  readonly kind: "Ingress" | "Gateway" | "ListenerSet" | "HTTPRoute" | "GRPCRoute" | "TLSRoute" | "TCPRoute" | "UDPRoute" | "Service";
  readonly namespace: string;
  readonly name: string;
  /** Path of the field inside the object; "": the object. */
  readonly field: string;
}

/** reason → what it means, for documentation and people. */
export const routeReasons = {
  OtherClass: "its class belongs to another controller",
  IngressClassNotFound: "its class does not exist",
  NoClass: "it names no class and none is the default",
  NoRules: "it has neither rules nor a default backend",
  InvalidHost: "the host is no DNS name, or not one that a request can have",
  InvalidPath: "the path is not absolute or cannot be in a request",
  UnknownPathType: "the path type is none of Exact, Prefix and ImplementationSpecific",
  PatternPath: "the path looks like a pattern, but is taken letter for letter",
  BackendMissing: "there is no backend",
  ResourceBackend: "backends that are no Services are not supported",
  ServiceNotFound: "the Service does not exist",
  ServicePortNotFound: "the Service has no such port",
  ExternalName: "Services of type ExternalName are not followed: a name could lead anywhere",
  PortProtocol: "the port of the Service is not TCP",
  AppProtocol: "the Service wants TLS for its port, and nothing says whom to trust",
  BackendTLS: "how to speak TLS to the Service cannot be made out",
  NoEndpoints: "the Service has no ready endpoint",
  PathConflict: "an older object has the same host, path and path type",
  SecretNotFound: "the Secret does not exist",
  SecretInvalid: "the Secret holds no usable certificate and key",
  CertificateMismatch: "the certificate does not name the host",
  CertificateExpired: "the certificate's time is over, or has not begun",
  NoCertificate: "TLS is asked for without a certificate",
  CertificateConflict: "an older object has a certificate for the same host",
  CanaryAlone: "a canary whose host and path no other Ingress has",
  UnsupportedAnnotation: "the annotation asks for what is not supported",
} as const satisfies Readonly<Record<string, string>>;

export type RouteReason = keyof typeof routeReasons;

export interface RouteProblem {
  /** `error`: this part does not work; `warning`: it works, but not as one may think. */
  readonly severity: "error" | "warning";
  readonly reason: RouteReason;
  readonly source: SourceRef;
  /** A sentence with the values: `Service shop/web has no port "http": it has 80 (main)`. */
  readonly message: string;
}
