/**
 * ServiceAccount: a pod that names no account runs as its namespace's `default`, and is given a token of it, the cluster's authority and its namespace
 * in one volume (`plugin/pkg/admission/serviceaccount`). The volume only where pods have a file system to mount it into.
 */
import { pods, serviceAccounts } from "../../api/resources.ts";
import type { Draft } from "../../api/object.ts";
import type { Container, Pod, ServiceAccount, Volume } from "../../api/types.ts";
import type { Store } from "../store.ts";
import { generatedName } from "../registry/names.ts";
import type { AdmissionPlugin } from "./admission.ts";

export interface ServiceAccountOptions {
  readonly store: Pick<Store, "resource">;
  readonly mountTokens: boolean;
  /** [0, 1) */
  readonly random: () => number;
}

const mountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
const prefix = "kube-api-access-";

export function serviceAccount({ store, mountTokens, random }: ServiceAccountOptions): AdmissionPlugin {
  const accounts = store.resource(serviceAccounts);
  return {
    name: "ServiceAccount",
    admit({ kind, operation, subresource, object, namespace }) {
      if (kind.resource.plural !== pods.plural || kind.resource.group !== "" || operation !== "CREATE" || subresource !== undefined) return;
      const pod = object as unknown as Draft<Pod>;
      // A mirror of a pod that the node has from elsewhere must not change, and stands for nobody.
      if (pod.spec === undefined || pod.metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined) return;
      const name = pod.spec.serviceAccountName || pod.spec.serviceAccount || "default";
      pod.spec.serviceAccountName = name;
      pod.spec.serviceAccount = name;
      if (!mountTokens) return;
      const account = accounts.get(`${namespace}/${name}`)?.object() as ServiceAccount | undefined;
      if (pod.spec.automountServiceAccountToken ?? account?.automountServiceAccountToken ?? true) mountToken(pod.spec, random);
    },
  };
}

type Spec = NonNullable<Draft<Pod>["spec"]>;

function mountToken(spec: Spec, random: () => number): void {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  const without = containers.filter(({ volumeMounts = [] }: Container) => !volumeMounts.some((mount) => mount.mountPath === mountPath));
  if (without.length === 0) return;
  const volumes = (spec.volumes ?? []) as readonly Volume[];
  const name = volumes.find((volume) => volume.name.startsWith(prefix))?.name ?? generatedName(prefix, random);
  if (!volumes.some((volume) => volume.name === name)) spec.volumes = [...volumes, tokenVolume(name)] as NonNullable<Spec["volumes"]>;
  for (const container of without)
    container.volumeMounts = [...((container as Container).volumeMounts ?? []), { name, readOnly: true, mountPath }];
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        // An hour and seven seconds: the mark by which upstream knows a token that it asked for itself.
        { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        { downwardAPI: { items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }] } },
      ],
    },
  };
}
