/** The decisions of the gateway: which rule takes a request, what is behind it, and why not another. Pure; see each file. */
export type { BalancePolicy } from "./balance.ts";
export { cookieOf, fillTemplate, parseTemplate, type TemplatePart, type TemplateRequest } from "./request-template.ts";
export {
  matchesPort,
  portText,
  resolveBackend,
  type Backend,
  type BackendEndpoint,
  type BackendReason,
  type UpstreamTls,
} from "./backends.ts";
export { cors, corsNames, type CorsResult } from "./cors.ts";
export { explain, type Candidate, type RejectionReason, type RouteExplanation } from "./explain.ts";
export { compareHosts, hostMatches, hostPattern, requestHost, suffixMatches, suffixPatterns, wildcardOf } from "./host.ts";
export {
  classVerdict,
  defaultClassAnnotation,
  ingressController,
  legacyClassAnnotation,
  standInClasses,
  type ClassPolicy,
  type ClassVerdict,
} from "./ingress-class.ts";
export { translateIngress, type HostRoute, type Translation } from "./ingress.ts";
export { match, pathPattern, sectionOf, type MatchResult, type RouteRequest } from "./match.ts";
export { compareText, mergeCertificates, mergeHost, type DatedCertificate, type MergedHost } from "./merge.ts";
export { hasPrefix, normalizePath, type PathResult } from "./path.ts";
export {
  belongsTo,
  checkBackends,
  datedCertificates,
  ingressTable,
  processors,
  type ObjectStatus,
  type Processed,
  type RouteObjects,
} from "./processors.ts";
export { renderNginx, type NginxOptions, type RenderedNginx } from "./render-nginx.ts";
export { routeReasons, type RouteProblem, type RouteReason, type SourceRef } from "./reasons.ts";
export {
  backendKey,
  backendsOf,
  type BackendProtocol,
  type BackendRef,
  type BasicAuth,
  type CertificateRef,
  type AuthTarget,
  type CorsPolicy,
  type ExternalAuth,
  type Filter,
  type HeaderChange,
  type Listener,
  type ListenerSection,
  type PathRewrite,
  type RetryPolicy,
  type Route,
  type RouteTable,
  type SessionPersistence,
  type StreamListener,
  type StreamRoute,
  type StreamSection,
  usersKey,
  type VirtualHost,
} from "./route-table.ts";
