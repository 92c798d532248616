/**
 * What a node may do (`plugin/pkg/auth/authorizer/node`): the rules of the role `system:node`, and of Secrets, ConfigMaps, claims and
 * tokens only those that a pod bound to it uses; of nodes, their leases and pods only its own may be written (`NodeRestriction`).
 */
import { keyOf } from "../../api/object.ts";
import type { UserInfo } from "../../api/request.ts";
import { pods } from "../../api/resources.ts";
import type { Pod, PodSpec } from "../../api/types.ts";
import type { Store } from "../store.ts";
import type { AccessRequest, Authorizer, Decision } from "./authorizer.ts";
import { nodeRules } from "./rbac/default-policy.ts";
import { ruleAllows } from "./rbac/rules.ts";

const prefix = "system:node:";

/** The name of the node that a user is; undefined when he is none. */
export function nodeNameOf({ name, groups }: UserInfo): string | undefined {
  return name.startsWith(prefix) && groups.includes("system:nodes") ? name.slice(prefix.length) : undefined;
}

export function nodeAuthorizer(store: Pick<Store, "resource">): Authorizer {
  return {
    decide(user, request) {
      const node = nodeNameOf(user);
      if (node === undefined || !nodeRules.some((rule) => ruleAllows(rule, request))) return no("");
      return request.kind === "path" ? yes : decide(store, node, request);
    },
    rules: (user) => {
      const isNode = nodeNameOf(user) !== undefined;
      return { resourceRules: isNode ? nodeRules : [], nonResourceRules: [], incomplete: isNode };
    },
  };
}

const yes: Decision = { allowed: true, reason: "" };
const no = (reason: string): Decision => ({ allowed: false, reason });
const reading: ReadonlySet<string> = new Set(["get", "list", "watch"]);

type ResourceAccess = Extract<AccessRequest, { readonly kind: "resource" }>;

function decide(store: Pick<Store, "resource">, node: string, request: ResourceAccess): Decision {
  const { plural, verb, name = "", namespace = "", subresource } = request;
  switch (plural) {
    case "nodes":
      return reading.has(verb) || name === node || (verb === "create" && name === "") ? yes : no("a node may change no other node");
    case "leases":
      return namespace === "kube-node-lease" && (name === node || (verb === "create" && name === ""))
        ? yes
        : no("a node may only use its own lease");
    case "pods":
      return reading.has(verb) || (verb === "create" && subresource === undefined) || isBound(store, node, namespace, name)
        ? yes
        : no("the pod is not bound to this node");
    case "secrets":
    case "configmaps":
    case "persistentvolumeclaims":
    case "serviceaccounts":
      return name !== "" && isUsed(store, node, plural, namespace, name)
        ? yes
        : no(`no relationship found between node '${node}' and this object`);
    default:
      return yes;
  }
}

function isBound(store: Pick<Store, "resource">, node: string, namespace: string, name: string): boolean {
  const pod = store.resource(pods).get(keyOf(namespace, name))?.object() as Pod | undefined;
  return pod === undefined || pod.spec?.nodeName === node;
}

/** Looks at the pods of one namespace; a node asks only when a pod begins. */
function isUsed(store: Pick<Store, "resource">, node: string, plural: string, namespace: string, name: string): boolean {
  return store
    .resource(pods)
    .items(namespace)
    .some((item) => {
      const { spec } = item.object() as Pod;
      return spec?.nodeName === node && namesOf(spec, plural).has(name);
    });
}

function namesOf(spec: PodSpec, plural: string): ReadonlySet<string | undefined> {
  const volumes = spec.volumes ?? [];
  const sources = volumes.flatMap(({ projected }) => projected?.sources ?? []);
  const containers = [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])];
  const fields = containers.flatMap(({ env = [] }) => env.map(({ valueFrom }) => valueFrom));
  const whole = containers.flatMap(({ envFrom = [] }) => envFrom);
  switch (plural) {
    case "secrets":
      return new Set([
        ...volumes.map(({ secret }) => secret?.secretName),
        ...sources.map(({ secret }) => secret?.name),
        ...fields.map((from) => from?.secretKeyRef?.name),
        ...whole.map(({ secretRef }) => secretRef?.name),
        ...(spec.imagePullSecrets ?? []).map(({ name }) => name),
      ]);
    case "configmaps":
      return new Set([
        ...volumes.map(({ configMap }) => configMap?.name),
        ...sources.map(({ configMap }) => configMap?.name),
        ...fields.map((from) => from?.configMapKeyRef?.name),
        ...whole.map(({ configMapRef }) => configMapRef?.name),
      ]);
    case "persistentvolumeclaims":
      return new Set(volumes.map(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName));
    default:
      return new Set([spec.serviceAccountName]);
  }
}
