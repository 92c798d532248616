/** What clients are told of each resource: its verbs and subresources (APIResourceList and APIGroupDiscoveryList). */
import type { KindSpec } from "../../api/kind.ts";

export type Subresource = KindSpec["subresources"][number];

const collectionVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/** Namespaces are deleted one by one. */
export function verbsOf({ resource, verbs }: Pick<KindSpec, "resource" | "verbs">): readonly string[] {
  if (verbs !== undefined) return verbs;
  const each = resource.group === "" && resource.plural === "namespaces";
  return each ? collectionVerbs.filter((verb) => verb !== "deletecollection") : collectionVerbs;
}

export interface SubresourceShape {
  readonly verbs: readonly string[];
  /** What it speaks, where that is another kind than the resource's own. */
  readonly group?: string;
  readonly version?: string;
  readonly kind?: string;
}

const status = ["get", "patch", "update"];
const connect = ["create", "get"];

export const subresourceShapes: Readonly<Record<Subresource, SubresourceShape>> = {
  status: { verbs: status },
  scale: { verbs: status, group: "autoscaling", version: "v1", kind: "Scale" },
  log: { verbs: ["get"] },
  exec: { verbs: connect, kind: "PodExecOptions" },
  attach: { verbs: connect, kind: "PodAttachOptions" },
  portforward: { verbs: connect, kind: "PodPortForwardOptions" },
  binding: { verbs: ["create"], kind: "Binding" },
  eviction: { verbs: ["create"], group: "policy", version: "v1", kind: "Eviction" },
  token: { verbs: ["create"], group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" },
  finalize: { verbs: ["update"] },
  proxy: { verbs: ["create", "delete", "get", "patch", "update"], kind: "ProxyOptions" },
  approval: { verbs: status },
  ephemeralcontainers: { verbs: status },
  resize: { verbs: status },
};
