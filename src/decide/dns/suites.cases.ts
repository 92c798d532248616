/** Suites of CoreDNS's cases for the kubernetes plugin that are asked of the pure functions of this folder. */

/** Questions and answers: of `lookup`. */
export const lookupSuites: readonly string[] = [
  "serve",
  "preserve-case",
  "ignore-empty-service",
  "pods-disabled",
  "pods-insecure",
  "pods-verified",
  "apex",
  "zonal",
  "zonal-off",
  "reverse",
];

/** Of the other functions. */
export const otherSuites: readonly string[] = [
  "zone-transfer",
  "parse-request",
  "parse-request-invalid",
  "endpoint-hostname",
  "ns-addrs",
  "k8s_external-external",
  "k8s_external-apex",
];
