/**
 * NodeRestriction: a node may write no more than what concerns itself (`plugin/pkg/admission/noderestriction`). Which objects it may
 * write at all is the node authorizer's to say; this looks at what it writes into them. Without it a stolen node certificate could
 * read any Secret: by a pod of its own making that mounts it.
 */
import { isDeepStrictEqual } from "node:util";
import { keyOf, type KubeObject } from "../../api/object.ts";
import { mayNodeSetLabel } from "../../api/node-labels.ts";
import type { UserInfo } from "../../api/request.ts";
import { groupResource, nodes, pods, serviceAccounts } from "../../api/resources.ts";
import { forbiddenError, notFoundError } from "../../api/status.ts";
import type { BoundObjectReference, Node, OwnerReference, Pod, Volume } from "../../api/types.ts";
import { nodeNameOf } from "../auth/node-authorizer.ts";
import type { Store } from "../store.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";

type Reader = Pick<Store, "resource">;

const mirrorAnnotation = "kubernetes.io/config.mirror";

export function nodeRestriction(store: Reader): AdmissionPlugin {
  return {
    name: "NodeRestriction",
    admit(request) {
      const node = nodeNameOf(request.user);
      if (node === undefined) return;
      const { resource } = request.kind;
      const refusal =
        groupResource(resource) === groupResource(pods)
          ? refusePod(store, node, request)
          : groupResource(resource) === groupResource(nodes)
            ? refuseNode(node, request)
            : undefined;
      if (refusal !== undefined) throw forbiddenError(resource, request.name, refusal);
    },
  };
}

/** Why not; undefined: it may. */
function refusePod(store: Reader, node: string, { operation, subresource, object, old }: AdmissionRequest): string | undefined {
  const pod = object as unknown as Pod;
  if (subresource === "status")
    return isDeepStrictEqual(pod.metadata.labels ?? {}, (old as Pod).metadata.labels ?? {})
      ? undefined
      : `node "${node}" cannot update labels through pod status`;
  if (operation === "UPDATE") return `unexpected operation "UPDATE", node "${node}" can only create and delete mirror pods`;
  if (operation !== "CREATE") return undefined;
  if (pod.metadata.annotations?.[mirrorAnnotation] === undefined)
    return `pod does not have "${mirrorAnnotation}" annotation, node "${node}" can only create mirror pods`;
  if (pod.spec?.nodeName !== node) return `node "${node}" can only create pods with spec.nodeName set to itself`;
  const uid = store.resource(nodes).get(node)?.object().metadata.uid;
  const reference = referenceOf(pod);
  return (
    refuseOwners(node, uid, pod.metadata.ownerReferences ?? []) ??
    (reference === undefined ? undefined : `node "${node}" can not create pods that reference ${reference}`)
  );
}

function refuseOwners(node: string, uid: string | undefined, owners: readonly OwnerReference[]): string | undefined {
  const [owner, ...others] = owners;
  if (others.length > 0) return `node "${node}" can only create pods with a single owner reference set to itself`;
  if (owner === undefined || owner.apiVersion !== "v1" || owner.kind !== "Node" || owner.name !== node)
    return `node "${node}" can only create pods with an owner reference set to itself`;
  if (owner.controller !== true) return `node "${node}" can only create pods with a controller owner reference set to itself`;
  if (owner.blockOwnerDeletion === true) return `node "${node}" must not set blockOwnerDeletion on an owner reference`;
  return owner.uid === uid ? undefined : `node ${node} UID mismatch: expected ${owner.uid} got ${uid ?? ""}`;
}

/** The objects that a pod names, in upstream's words (`pkg/api/pod/util.go` HasAPIObjectReference); undefined: none. */
function referenceOf({ spec }: Pod): string | undefined {
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const sources = [
    ...containers.flatMap(({ env = [] }) => env.map(({ valueFrom }) => valueFrom)),
    ...containers.flatMap(({ envFrom = [] }) => envFrom),
  ];
  if ((spec?.serviceAccountName ?? "") !== "") return "serviceaccounts";
  if ((spec?.imagePullSecrets ?? []).length > 0) return "secrets";
  if (sources.some((source) => source !== undefined && ("secretKeyRef" in source || "secretRef" in source))) return "secrets";
  if (sources.some((source) => source !== undefined && ("configMapKeyRef" in source || "configMapRef" in source))) return "configmaps";
  if ((spec?.resourceClaims ?? []).length > 0) return "resourceclaims";
  return (spec?.volumes ?? []).map(volumeReference).find((reference) => reference !== undefined);
}

function volumeReference(volume: Volume): string | undefined {
  const kind = Object.keys(volume).find((key) => key !== "name") ?? "";
  if (kind === "projected") {
    const used = (volume.projected?.sources ?? []).flatMap((one) => Object.keys(one)).find((key) => key !== "downwardAPI");
    return used === undefined ? undefined : `${projected[used] ?? used} (via projected volumes)`;
  }
  return references[kind];
}

const projected: Readonly<Record<string, string>> = {
  configMap: "configmaps",
  secret: "secrets",
  serviceAccountToken: "serviceaccounts",
  clusterTrustBundle: "clustertrustbundles",
  podCertificate: "podcertificates",
};

const references: Readonly<Record<string, string>> = {
  configMap: "configmaps (via configmap volumes)",
  secret: "secrets (via secret volumes)",
  csi: "csidrivers (via CSI volumes)",
  glusterfs: "endpoints (via glusterFS volumes)",
  persistentVolumeClaim: "persistentvolumeclaims",
  ephemeral: "persistentvolumeclaims (via ephemeral volumes)",
  azureFile: "secrets (via azureFile volumes)",
};

function refuseNode(node: string, { operation, name, object, old }: AdmissionRequest): string | undefined {
  if (name !== node) return `node "${node}" is not allowed to modify node "${name}"`;
  if (operation === "DELETE") return undefined;
  const [after, before] = [object as unknown as Node, old as Node | undefined];
  const forbidden = changedLabels(after, before).filter((key) => !mayNodeSetLabel(key));
  if (before === undefined)
    return forbidden.length === 0 ? undefined : `node "${node}" is not allowed to set the following labels: ${forbidden.join(", ")}`;
  if (!isDeepStrictEqual(after.spec?.taints ?? [], before.spec?.taints ?? [])) return `node "${node}" is not allowed to modify taints`;
  if (!isDeepStrictEqual(after.metadata.ownerReferences ?? [], before.metadata.ownerReferences ?? []))
    return `node "${node}" is not allowed to modify ownerReferences`;
  return forbidden.length === 0 ? undefined : `is not allowed to modify labels: ${forbidden.join(", ")}`;
}

function changedLabels(after: KubeObject, before: KubeObject | undefined): readonly string[] {
  const [now, then] = [after.metadata.labels ?? {}, before?.metadata.labels ?? {}];
  return [...new Set([...Object.keys(now), ...Object.keys(then)])].filter((key) => now[key] !== then[key]).sort();
}

/** A node gets tokens only for pods that it runs. Throws 403, and 404 for a pod that is gone. */
export function restrictNodeToken(store: Reader, { user, namespace, account, bound }: NodeTokenRequest): void {
  const node = nodeNameOf(user);
  if (node === undefined) return;
  const refuse = (message: string) => forbiddenError(serviceAccounts, account, message);
  if (bound === undefined || bound.apiVersion !== "v1" || bound.kind !== "Pod" || (bound.name ?? "") === "")
    throw refuse("node requested token not bound to a pod");
  if ((bound.uid ?? "") === "") throw refuse("node requested token with a pod binding without a uid");
  const pod = store
    .resource(pods)
    .get(keyOf(namespace, bound.name as string))
    ?.object() as Pod | undefined;
  if (pod === undefined) throw notFoundError(pods, bound.name as string);
  if (pod.metadata.uid !== bound.uid)
    throw refuse(
      `the UID in the bound object reference (${bound.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  if (pod.spec?.nodeName !== node) throw refuse("node requested token bound to a pod scheduled on a different node");
}

export interface NodeTokenRequest {
  readonly user: UserInfo;
  readonly namespace: string;
  /** The ServiceAccount's name. */
  readonly account: string;
  readonly bound: BoundObjectReference | undefined;
}
