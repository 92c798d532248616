/** How a pod calls itself (upstream `GeneratePodHostNameAndDomain`, pkg/kubelet/kubelet_pods.go). Pure. */
import type { Pod } from "../api/types.ts";

const maxHostname = 63;

/** The short name: `spec.hostname`, or the pod's own name, cut to what a kernel takes. */
export function shortHostname(pod: Pod): string {
  const name = pod.spec?.hostname ?? "";
  if (name !== "") return name;
  return (pod.metadata.name ?? "").slice(0, maxHostname).replace(/[-.]+$/, "");
}

/** `web-0.web.shop.svc.cluster.local`; undefined for pods without a subdomain. */
export function podFqdn(pod: Pod, clusterDomain: string): string | undefined {
  const subdomain = pod.spec?.subdomain ?? "";
  return subdomain === "" ? undefined : `${shortHostname(pod)}.${subdomain}.${pod.metadata.namespace ?? ""}.svc.${clusterDomain}`;
}

/** What `hostname` says inside: `hostnameOverride` (KEP-4762) wins; with `setHostnameAsFQDN` the long name. */
export function podHostname(pod: Pod, clusterDomain: string): string {
  const override = pod.spec?.hostnameOverride ?? "";
  if (override !== "") return override;
  return (pod.spec?.setHostnameAsFQDN === true ? podFqdn(pod, clusterDomain) : undefined) ?? shortHostname(pod);
}
