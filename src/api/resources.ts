/**
 * Handles of the built-in resources: what a client must know to name one. A handle carries its object's type, so
 * `client.get(services, …)` gives a `Service`. The server's side of a kind (defaults, validation, columns) is in `kinds/`.
 */
import type { KubeObject } from "./object.ts";
import type * as t from "./types.ts";

export interface Resource<T extends KubeObject = KubeObject> {
  /** `""` for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set; carries the type. */
  readonly type?: T;
}

function resource<T extends KubeObject>(group: string, version: string, plural: string, kind: string, namespaced = true): Resource<T> {
  return { group, version, plural, kind, namespaced };
}

export const namespaces = resource<t.Namespace>("", "v1", "namespaces", "Namespace", false);
export const nodes = resource<t.Node>("", "v1", "nodes", "Node", false);
export const pods = resource<t.Pod>("", "v1", "pods", "Pod");
export const services = resource<t.Service>("", "v1", "services", "Service");
export const endpoints = resource<t.Endpoints>("", "v1", "endpoints", "Endpoints");
export const configMaps = resource<t.ConfigMap>("", "v1", "configmaps", "ConfigMap");
export const secrets = resource<t.Secret>("", "v1", "secrets", "Secret");
export const serviceAccounts = resource<t.ServiceAccount>("", "v1", "serviceaccounts", "ServiceAccount");
export const events = resource<t.Event>("", "v1", "events", "Event");
export const eventsV1 = resource<t.EventsEvent>("events.k8s.io", "v1", "events", "Event");
export const deployments = resource<t.Deployment>("apps", "v1", "deployments", "Deployment");
export const replicaSets = resource<t.ReplicaSet>("apps", "v1", "replicasets", "ReplicaSet");
export const endpointSlices = resource<t.EndpointSlice>("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice");
export const leases = resource<t.Lease>("coordination.k8s.io", "v1", "leases", "Lease");
export const statefulSets = resource<t.StatefulSet>("apps", "v1", "statefulsets", "StatefulSet");
export const daemonSets = resource<t.DaemonSet>("apps", "v1", "daemonsets", "DaemonSet");
export const controllerRevisions = resource<t.ControllerRevision>("apps", "v1", "controllerrevisions", "ControllerRevision");
export const ingresses = resource<t.Ingress>("networking.k8s.io", "v1", "ingresses", "Ingress");
export const ingressClasses = resource<t.IngressClass>("networking.k8s.io", "v1", "ingressclasses", "IngressClass", false);
export const networkPolicies = resource<t.NetworkPolicy>("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy");
export const serviceCidrs = resource<t.ServiceCIDR>("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", false);
export const ipAddresses = resource<t.IPAddress>("networking.k8s.io", "v1", "ipaddresses", "IPAddress", false);
export const jobs = resource<t.Job>("batch", "v1", "jobs", "Job");
export const cronJobs = resource<t.CronJob>("batch", "v1", "cronjobs", "CronJob");
export const podTemplates = resource<t.PodTemplate>("", "v1", "podtemplates", "PodTemplate");
export const replicationControllers = resource<t.ReplicationController>("", "v1", "replicationcontrollers", "ReplicationController");
export const persistentVolumes = resource<t.PersistentVolume>("", "v1", "persistentvolumes", "PersistentVolume", false);
export const persistentVolumeClaims = resource<t.PersistentVolumeClaim>("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim");
export const storageClasses = resource<t.StorageClass>("storage.k8s.io", "v1", "storageclasses", "StorageClass", false);
export const priorityClasses = resource<t.PriorityClass>("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", false);
export const podDisruptionBudgets = resource<t.PodDisruptionBudget>("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget");
export const roles = resource<t.Role>("rbac.authorization.k8s.io", "v1", "roles", "Role");
export const roleBindings = resource<t.RoleBinding>("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding");
export const clusterRoles = resource<t.ClusterRole>("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false);
export const clusterRoleBindings = resource<t.ClusterRoleBinding>(
  "rbac.authorization.k8s.io",
  "v1",
  "clusterrolebindings",
  "ClusterRoleBinding",
  false,
);
export const certificateSigningRequests = resource<t.CertificateSigningRequest>(
  "certificates.k8s.io",
  "v1",
  "certificatesigningrequests",
  "CertificateSigningRequest",
  false,
);

const admission = "admissionregistration.k8s.io";
export const validatingWebhookConfigurations = resource<t.ValidatingWebhookConfiguration>(
  admission,
  "v1",
  "validatingwebhookconfigurations",
  "ValidatingWebhookConfiguration",
  false,
);
export const mutatingWebhookConfigurations = resource<t.MutatingWebhookConfiguration>(
  admission,
  "v1",
  "mutatingwebhookconfigurations",
  "MutatingWebhookConfiguration",
  false,
);
export const validatingAdmissionPolicies = resource<t.ValidatingAdmissionPolicy>(
  admission,
  "v1",
  "validatingadmissionpolicies",
  "ValidatingAdmissionPolicy",
  false,
);
export const validatingAdmissionPolicyBindings = resource<t.ValidatingAdmissionPolicyBinding>(
  admission,
  "v1",
  "validatingadmissionpolicybindings",
  "ValidatingAdmissionPolicyBinding",
  false,
);

export const customResourceDefinitions = resource<t.CustomResourceDefinition>(
  "apiextensions.k8s.io",
  "v1",
  "customresourcedefinitions",
  "CustomResourceDefinition",
  false,
);

/** `v1`, `apps/v1`. */
export function apiVersionOf(resource: Pick<Resource, "group" | "version">): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** `services`, `deployments.apps`: how errors and RBAC name a resource. */
export function groupResource(resource: Pick<Resource, "group" | "plural">): string {
  return resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`;
}

/** `/api/v1/namespaces/default/services/web/status`; without a name the collection. */
export function resourcePath(resource: Resource, namespace?: string, name?: string, subresource?: string): string {
  const root = resource.group === "" ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const scope = resource.namespaced && namespace !== undefined && namespace !== "" ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  const item = name === undefined ? "" : `/${encodeURIComponent(name)}`;
  return `${root}${scope}/${resource.plural}${item}${subresource === undefined ? "" : `/${subresource}`}`;
}
