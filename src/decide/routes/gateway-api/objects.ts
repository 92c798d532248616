/**
 * The Gateway API's objects (gateway.networking.k8s.io, release 1.6), as far as they are read here. They live in the API as custom
 * resources, whose schemas have checked them: what has a default there is there.
 */
import type { LabelSelector, ObjectMeta } from "../../../api/types.ts";

export const gatewayGroup = "gateway.networking.k8s.io";

interface Stored {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

/** As `metav1.Condition`. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime?: string;
}

export interface GatewayClass extends Stored {
  readonly spec: { readonly controllerName: string; readonly parametersRef?: ObjectReference; readonly description?: string };
  readonly status?: { readonly conditions?: readonly Condition[]; readonly supportedFeatures?: readonly { readonly name: string }[] };
}

export interface ObjectReference {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
}

export interface NamespacePolicy {
  readonly from?: "All" | "Same" | "Selector" | "None";
  readonly selector?: LabelSelector;
}

export interface RouteKind {
  readonly group?: string;
  readonly kind: string;
}

/** Of a Gateway or a ListenerSet. */
export interface ListenerSpec {
  readonly name: string;
  readonly hostname?: string;
  readonly port: number;
  readonly protocol: string;
  readonly tls?: {
    readonly mode?: "Terminate" | "Passthrough";
    readonly certificateRefs?: readonly ObjectReference[];
    readonly options?: Readonly<Record<string, string>>;
  };
  readonly allowedRoutes?: { readonly namespaces?: NamespacePolicy; readonly kinds?: readonly RouteKind[] };
}

export interface FrontendValidation {
  readonly caCertificateRefs: readonly ObjectReference[];
  readonly mode?: "AllowValidOnly" | "AllowInsecureFallback";
}

export interface GatewayAddress {
  readonly type?: string;
  readonly value?: string;
}

export interface GatewayObject extends Stored {
  readonly spec: {
    readonly gatewayClassName: string;
    readonly listeners: readonly ListenerSpec[];
    readonly addresses?: readonly GatewayAddress[];
    readonly allowedListeners?: { readonly namespaces?: NamespacePolicy };
    readonly infrastructure?: {
      readonly labels?: Readonly<Record<string, string>>;
      readonly annotations?: Readonly<Record<string, string>>;
      readonly parametersRef?: ObjectReference;
    };
    readonly tls?: {
      readonly backend?: { readonly clientCertificateRef?: ObjectReference };
      readonly frontend?: {
        readonly default?: { readonly validation?: FrontendValidation };
        readonly perPort?: readonly { readonly port: number; readonly tls: { readonly validation?: FrontendValidation } }[];
      };
    };
  };
  readonly status?: GatewayObjectStatus;
}

export interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds: readonly RouteKind[];
  readonly attachedRoutes: number;
  readonly conditions: readonly Condition[];
}

export interface GatewayObjectStatus {
  readonly addresses?: readonly GatewayAddress[];
  readonly conditions?: readonly Condition[];
  readonly listeners?: readonly ListenerStatus[];
  readonly attachedListenerSets?: number;
}

export interface ListenerSet extends Stored {
  readonly spec: { readonly parentRef: ObjectReference; readonly listeners: readonly ListenerSpec[] };
  readonly status?: { readonly conditions?: readonly Condition[]; readonly listeners?: readonly ListenerStatus[] };
}

export interface ParentRef extends ObjectReference {
  readonly sectionName?: string;
  readonly port?: number;
}

export interface BackendObjectRef extends ObjectReference {
  readonly port?: number;
  readonly weight?: number;
}

export interface RouteFilter {
  readonly type: string;
  readonly requestHeaderModifier?: HeaderModifier;
  readonly responseHeaderModifier?: HeaderModifier;
  readonly requestMirror?: {
    readonly backendRef: BackendObjectRef;
    readonly percent?: number;
    readonly fraction?: { readonly numerator: number; readonly denominator?: number };
  };
  readonly externalAuth?: {
    readonly protocol: string;
    readonly backendRef: BackendObjectRef;
    readonly http?: {
      readonly path?: string;
      readonly allowedHeaders?: readonly string[];
      readonly allowedResponseHeaders?: readonly string[];
    };
    readonly forwardBody?: { readonly maxSize?: number };
  };
  readonly requestRedirect?: {
    readonly scheme?: "http" | "https";
    readonly hostname?: string;
    readonly path?: PathModifier;
    readonly port?: number;
    readonly statusCode?: number;
  };
  readonly urlRewrite?: { readonly hostname?: string; readonly path?: PathModifier };
  readonly cors?: {
    readonly allowOrigins?: readonly string[];
    readonly allowCredentials?: boolean;
    readonly allowMethods?: readonly string[];
    readonly allowHeaders?: readonly string[];
    readonly exposeHeaders?: readonly string[];
    readonly maxAge?: number;
  };
}

export interface HeaderModifier {
  readonly set?: readonly NameValue[];
  readonly add?: readonly NameValue[];
  readonly remove?: readonly string[];
}

interface NameValue {
  readonly name: string;
  readonly value: string;
}

export interface PathModifier {
  readonly type: string;
  readonly replaceFullPath?: string;
  readonly replacePrefixMatch?: string;
}

export interface ValueMatcher extends NameValue {
  readonly type?: string;
}

export interface RouteBackendRef extends BackendObjectRef {
  readonly filters?: readonly RouteFilter[];
}

export interface SessionPersistenceSpec {
  readonly sessionName?: string;
  readonly absoluteTimeout?: string;
  readonly idleTimeout?: string;
  readonly type?: "Cookie" | "Header";
  readonly cookieConfig?: { readonly lifetimeType?: "Permanent" | "Session" };
}

export interface HttpRouteMatch {
  readonly path?: { readonly type?: string; readonly value?: string };
  readonly headers?: readonly ValueMatcher[];
  readonly queryParams?: readonly ValueMatcher[];
  readonly method?: string;
}

export interface HttpRouteRule {
  readonly name?: string;
  readonly matches?: readonly HttpRouteMatch[];
  readonly filters?: readonly RouteFilter[];
  readonly backendRefs?: readonly RouteBackendRef[];
  readonly timeouts?: { readonly request?: string; readonly backendRequest?: string };
  readonly retry?: { readonly codes?: readonly number[]; readonly attempts?: number; readonly backoff?: string };
  readonly sessionPersistence?: SessionPersistenceSpec;
}

export interface GrpcRouteRule {
  readonly name?: string;
  readonly matches?: readonly {
    readonly method?: { readonly type?: string; readonly service?: string; readonly method?: string };
    readonly headers?: readonly ValueMatcher[];
  }[];
  readonly filters?: readonly RouteFilter[];
  readonly backendRefs?: readonly RouteBackendRef[];
  readonly sessionPersistence?: SessionPersistenceSpec;
}

export interface StreamRouteRule {
  readonly name?: string;
  readonly backendRefs?: readonly BackendObjectRef[];
}

interface RouteObject<K extends string, R> extends Stored {
  readonly kind: K;
  readonly spec: { readonly parentRefs?: readonly ParentRef[]; readonly hostnames?: readonly string[]; readonly rules?: readonly R[] };
  readonly status?: { readonly parents?: readonly RouteParentStatus[] };
}

export interface RouteParentStatus {
  readonly parentRef: ParentRef;
  readonly controllerName: string;
  readonly conditions?: readonly Condition[];
}

export type HttpRoute = RouteObject<"HTTPRoute", HttpRouteRule>;
export type GrpcRoute = RouteObject<"GRPCRoute", GrpcRouteRule>;
export type TlsRoute = RouteObject<"TLSRoute", StreamRouteRule>;
export type TcpRoute = RouteObject<"TCPRoute", StreamRouteRule>;
export type UdpRoute = RouteObject<"UDPRoute", StreamRouteRule>;
export type AnyRoute = HttpRoute | GrpcRoute | TlsRoute | TcpRoute | UdpRoute;
export type AnyRouteKind = AnyRoute["kind"];

export interface ReferenceGrant extends Stored {
  readonly spec: {
    readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
    readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
  };
}

export interface BackendTlsPolicy extends Stored {
  readonly spec: {
    readonly targetRefs: readonly { readonly group: string; readonly kind: string; readonly name: string; readonly sectionName?: string }[];
    readonly validation: {
      readonly caCertificateRefs?: readonly ObjectReference[];
      readonly wellKnownCACertificates?: string;
      readonly hostname: string;
      readonly subjectAltNames?: readonly { readonly type: "Hostname" | "URI"; readonly hostname?: string; readonly uri?: string }[];
    };
  };
  readonly status?: { readonly ancestors?: readonly PolicyAncestorStatus[] };
}

export interface PolicyAncestorStatus {
  readonly ancestorRef: ParentRef;
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
}
