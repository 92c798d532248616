/**
 * The roles and bindings that every cluster has (`plugin/pkg/auth/authorizer/rbac/bootstrappolicy`), for the kinds that this server
 * knows. `admin`, `edit` and `view` are aggregated, so that a CustomResourceDefinition's own roles can join them.
 */
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Subject } from "../../../api/types.ts";

const read = ["get", "list", "watch"];
const write = ["create", "delete", "deletecollection", "patch", "update"];
const readWrite = [...read, ...write];

const rule = (
  verbs: readonly string[],
  apiGroups: readonly string[],
  resources: readonly string[],
  resourceNames?: readonly string[],
): PolicyRule => ({
  verbs,
  apiGroups,
  resources,
  ...(resourceNames === undefined ? {} : { resourceNames }),
});
const urls = (...nonResourceURLs: string[]): PolicyRule => ({ verbs: ["get"], nonResourceURLs });

const bootstrapping = { "kubernetes.io/bootstrapping": "rbac-defaults" };
const metadata = (name: string, labels: Readonly<Record<string, string>> = {}) => ({
  name,
  labels: { ...bootstrapping, ...labels },
  annotations: { "rbac.authorization.kubernetes.io/autoupdate": "true" },
});
const role = (name: string, rules: readonly PolicyRule[], labels?: Readonly<Record<string, string>>): ClusterRole => ({
  metadata: metadata(name, labels),
  rules,
});

const aggregate = (to: string) => `rbac.authorization.k8s.io/aggregate-to-${to}`;
const aggregated = (name: string, rules: readonly PolicyRule[], labels: Readonly<Record<string, string>> = {}): ClusterRole => ({
  ...role(name, rules, labels),
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [aggregate(name)]: "true" } }] },
});

const workloads = [
  "daemonsets",
  "deployments",
  "deployments/scale",
  "replicasets",
  "replicasets/scale",
  "statefulsets",
  "statefulsets/scale",
];
const coreObjects = [
  "configmaps",
  "endpoints",
  "persistentvolumeclaims",
  "pods",
  "replicationcontrollers",
  "replicationcontrollers/scale",
  "serviceaccounts",
  "services",
];

const viewRules: readonly PolicyRule[] = [
  rule(
    read,
    [""],
    [...coreObjects, "persistentvolumeclaims/status", "pods/log", "pods/status", "replicationcontrollers/status", "services/status"],
  ),
  rule(read, [""], ["bindings", "events", "limitranges", "namespaces", "namespaces/status", "resourcequotas", "resourcequotas/status"]),
  rule(read, ["discovery.k8s.io"], ["endpointslices"]),
  rule(
    read,
    ["apps"],
    ["controllerrevisions", ...workloads, "daemonsets/status", "deployments/status", "replicasets/status", "statefulsets/status"],
  ),
  rule(read, ["batch"], ["cronjobs", "cronjobs/status", "jobs", "jobs/status"]),
  rule(read, ["policy"], ["poddisruptionbudgets", "poddisruptionbudgets/status"]),
  rule(read, ["networking.k8s.io"], ["ingresses", "ingresses/status", "networkpolicies"]),
];

const editRules: readonly PolicyRule[] = [
  rule(read, [""], ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"]),
  rule(["impersonate"], [""], ["serviceaccounts"]),
  rule(write, [""], ["pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"]),
  rule(["create"], [""], ["pods/eviction", "serviceaccounts/token"]),
  rule(write, [""], [...coreObjects.filter((name) => name !== "endpoints" && name !== "pods"), "events", "secrets", "services/proxy"]),
  rule(write, ["apps"], [...workloads, "deployments/rollback"]),
  rule(write, ["batch"], ["cronjobs", "jobs"]),
  rule(write, ["policy"], ["poddisruptionbudgets"]),
  rule(write, ["networking.k8s.io"], ["ingresses", "networkpolicies"]),
  rule(readWrite, ["coordination.k8s.io"], ["leases"]),
];

const adminRules: readonly PolicyRule[] = [
  rule(["create"], ["authorization.k8s.io"], ["localsubjectaccessreviews"]),
  rule(readWrite, ["rbac.authorization.k8s.io"], ["rolebindings", "roles"]),
];

const events = rule(["create", "patch", "update"], ["", "events.k8s.io"], ["events"]);

/** What a node may do with objects that are not its own is for the node authorizer; this role is bound to nobody, as upstream. */
export const nodeRules: readonly PolicyRule[] = [
  rule(["create"], ["authentication.k8s.io"], ["tokenreviews"]),
  rule(["create"], ["authorization.k8s.io"], ["localsubjectaccessreviews", "subjectaccessreviews"]),
  rule(read, [""], ["services"]),
  rule(["create", "get", "list", "watch", "delete", "patch", "update"], [""], ["nodes"]),
  rule(["patch", "update"], [""], ["nodes/status", "pods/status"]),
  events,
  rule([...read, "create", "delete"], [""], ["pods"]),
  rule(["create"], [""], ["pods/eviction"]),
  rule(read, [""], ["configmaps", "secrets"]),
  rule(["get"], [""], ["persistentvolumeclaims", "persistentvolumes", "serviceaccounts"]),
  rule(["create"], [""], ["serviceaccounts/token"]),
  rule(["create", ...read], ["certificates.k8s.io"], ["certificatesigningrequests"]),
  rule(["create", "delete", "get", "patch", "update"], ["coordination.k8s.io"], ["leases"]),
];

export const defaultClusterRoles: readonly ClusterRole[] = [
  role("cluster-admin", [rule(["*"], ["*"], ["*"]), { verbs: ["*"], nonResourceURLs: ["*"] }]),
  aggregated("admin", [...adminRules, ...editRules, ...viewRules]),
  aggregated("edit", [...editRules, ...viewRules], { [aggregate("admin")]: "true" }),
  aggregated("view", viewRules, { [aggregate("edit")]: "true" }),
  role("system:aggregate-to-admin", adminRules, { [aggregate("admin")]: "true" }),
  role("system:aggregate-to-edit", editRules, { [aggregate("edit")]: "true" }),
  role("system:aggregate-to-view", viewRules, { [aggregate("view")]: "true" }),
  role("system:basic-user", [
    rule(["create"], ["authorization.k8s.io"], ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
    rule(["create"], ["authentication.k8s.io"], ["selfsubjectreviews"]),
  ]),
  role("system:discovery", [
    urls("/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"),
  ]),
  role("system:public-info-viewer", [urls("/healthz", "/livez", "/readyz", "/version", "/version/")]),
  role("system:monitoring", [urls("/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/readyz", "/readyz/*")]),
  role("system:service-account-issuer-discovery", [
    urls("/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/"),
  ]),
  role("system:auth-delegator", [
    rule(["create"], ["authentication.k8s.io"], ["tokenreviews"]),
    rule(["create"], ["authorization.k8s.io"], ["subjectaccessreviews"]),
  ]),
  role("system:node", nodeRules),
  // Bound to nobody, as upstream: whoever hands out bootstrap tokens binds it to their group.
  role("system:node-bootstrapper", [rule(["create", "get", "list", "watch"], ["certificates.k8s.io"], ["certificatesigningrequests"])]),
  role("system:node-proxier", [
    rule(["list", "watch"], [""], ["services", "endpoints"]),
    rule(read, [""], ["nodes"]),
    events,
    rule(["list", "watch"], ["discovery.k8s.io"], ["endpointslices"]),
    rule(["list", "watch"], ["networking.k8s.io"], ["servicecidrs"]),
  ]),
  // CoreDNS has no role of its own upstream; this is what its installers give it.
  role("system:coredns", [
    rule(["list", "watch"], [""], ["endpoints", "services", "pods", "namespaces"]),
    rule(["list", "watch"], ["discovery.k8s.io"], ["endpointslices"]),
  ]),
  role("system:kube-scheduler", [
    events,
    rule(["create", "get", "list", "watch", "update"], ["coordination.k8s.io"], ["leases"]),
    rule(read, [""], ["nodes", "namespaces", "replicationcontrollers", "services", "persistentvolumeclaims", "persistentvolumes"]),
    rule(["delete", ...read], [""], ["pods"]),
    rule(["create"], [""], ["bindings", "pods/binding"]),
    rule(["patch", "update"], [""], ["pods/status"]),
    rule(read, ["apps"], ["replicasets", "statefulsets"]),
    rule(read, ["policy"], ["poddisruptionbudgets"]),
    rule(read, ["storage.k8s.io"], ["storageclasses"]),
  ]),
  // Upstream gives each controller an account of its own; here they are one component, and the garbage collector among them needs everything.
  role("system:kube-controller-manager", [rule(["*"], ["*"], ["*"]), { verbs: ["get"], nonResourceURLs: ["*"] }]),
];

const rbac = "rbac.authorization.k8s.io";
const group = (name: string): Subject => ({ apiGroup: rbac, kind: "Group", name });
const user = (name: string): Subject => ({ apiGroup: rbac, kind: "User", name });
const account = (namespace: string, name: string): Subject => ({ kind: "ServiceAccount", namespace, name });

const binding = (name: string, ...subjects: readonly Subject[]): ClusterRoleBinding => ({
  metadata: metadata(name),
  roleRef: { apiGroup: rbac, kind: "ClusterRole", name },
  subjects,
});

export const defaultClusterRoleBindings: readonly ClusterRoleBinding[] = [
  binding("cluster-admin", group("system:masters")),
  binding("system:basic-user", group("system:authenticated")),
  binding("system:discovery", group("system:authenticated")),
  binding("system:public-info-viewer", group("system:authenticated"), group("system:unauthenticated")),
  binding("system:monitoring", group("system:monitoring")),
  binding("system:service-account-issuer-discovery", group("system:serviceaccounts")),
  binding("system:node"),
  binding("system:node-proxier", user("system:kube-proxy"), account("kube-system", "kube-proxy")),
  binding("system:coredns", account("kube-system", "coredns")),
  binding("system:kube-scheduler", user("system:kube-scheduler")),
  binding("system:kube-controller-manager", user("system:kube-controller-manager")),
];
