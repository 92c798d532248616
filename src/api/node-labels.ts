/** Which labels a kubelet may give its own Node (`k8s.io/kubelet/pkg/apis/well_known_labels.go`, KEP-279). */

const own: ReadonlySet<string> = new Set([
  "kubernetes.io/hostname",
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
  "beta.kubernetes.io/instance-type",
  "node.kubernetes.io/instance-type",
  "kubernetes.io/os",
  "kubernetes.io/arch",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/arch",
]);
const ownDomains = ["kubelet.kubernetes.io", "node.kubernetes.io"];
const reservedDomains = ["kubernetes.io", "k8s.io"];
const restrictedDomain = "node-restriction.kubernetes.io";

/** False for labels by which a node could draw work to itself that is not meant for it: those are an administrator's to set. */
export function mayNodeSetLabel(key: string): boolean {
  const domain = key.includes("/") ? key.slice(0, key.indexOf("/")) : "";
  const isWithin = (parent: string) => domain === parent || domain.endsWith(`.${parent}`);
  if (isWithin(restrictedDomain)) return false;
  return !reservedDomains.some(isWithin) || own.has(key) || ownDomains.some(isWithin);
}
