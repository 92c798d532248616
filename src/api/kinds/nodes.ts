/** Nodes (core/v1). A kubelet registers its node with a status; nothing clears it. */
import type { Draft } from "../object.ts";
import { nodes } from "../resources.ts";
import type { Node } from "../types.ts";
import { validateNode } from "../validation/node.ts";
import { ageColumn, defineKind, nameColumn, orNone, text, wide } from "./define.ts";

function applyDefaults(node: Draft<Node>): void {
  const { spec, status } = node;
  if (status?.capacity !== undefined) status.allocatable ??= { ...status.capacity };
  // One value under two names, as with a Service's addresses.
  if (spec?.podCIDR !== undefined && spec.podCIDR !== "") spec.podCIDRs ??= [spec.podCIDR];
  else if (spec?.podCIDRs?.[0] !== undefined) spec.podCIDR = spec.podCIDRs[0];
}

function statusText({ spec, status }: Node): string {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  const words = [ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady"];
  if (spec?.unschedulable === true) words.push("SchedulingDisabled");
  return words.join(",");
}

const rolePrefix = "node-role.kubernetes.io/";

function roles({ metadata }: Node): string {
  const found = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(rolePrefix)) return [key.slice(rolePrefix.length)];
    return key === "kubernetes.io/role" ? [value] : [];
  });
  return orNone([...new Set(found.filter((role) => role !== ""))].sort().join(","));
}

const addressOf = (type: string) => (node: Node) => orNone(node.status?.addresses?.find((address) => address.type === type)?.address);

const infoOf = (field: "osImage" | "kernelVersion" | "containerRuntimeVersion") => (node: Node) =>
  node.status?.nodeInfo?.[field] || "<unknown>";

export const nodeKind = defineKind<Node>({
  resource: nodes,
  definition: "Node",
  singular: "node",
  shortNames: ["no"],
  categories: [],
  subresources: ["status"],
  nameRule: "dns1123Subdomain",
  applyDefaults,
  prepareForCreate: () => undefined,
  prepareForUpdate: (node, old) => {
    node.status = structuredClone(old.status ?? {}) as NonNullable<Draft<Node>["status"]>;
  },
  validate: validateNode,
  selectableFields: { "spec.unschedulable": ({ spec }) => String(spec?.unschedulable ?? false) },
  columns: [
    nameColumn,
    text("Status", "Whether the node takes pods.", statusText),
    text("Roles", "Roles from the node's labels.", roles),
    ageColumn,
    text("Version", "Version of its kubelet.", ({ status }) => status?.nodeInfo?.kubeletVersion ?? ""),
    wide(text("Internal-IP", "Its address inside the cluster.", addressOf("InternalIP"))),
    wide(text("External-IP", "Its address outside the cluster.", addressOf("ExternalIP"))),
    wide(text("OS-Image", "Its operating system.", infoOf("osImage"))),
    wide(text("Kernel-Version", "Its kernel.", infoOf("kernelVersion"))),
    wide(text("Container-Runtime", "What runs its containers.", infoOf("containerRuntimeVersion"))),
  ],
});
