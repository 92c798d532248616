/** Every living namespace has the ConfigMap `kube-root-ca.crt` with the cluster's CA. Pure. */
import type { ConfigMap, Namespace } from "../../api/types.ts";

export const rootCaName = "kube-root-ca.crt";

export type RootCaPlan = { readonly kind: "none" } | { readonly kind: "create" | "update"; readonly configMap: ConfigMap };

/** `ca` in PEM. */
export function planRootCa(namespace: Namespace | undefined, existing: ConfigMap | undefined, ca: string): RootCaPlan {
  if (namespace === undefined || namespace.metadata.deletionTimestamp !== undefined) return { kind: "none" };
  const data = { "ca.crt": ca };
  if (existing === undefined) {
    const annotations = {
      "kubernetes.io/description": "Holds the CA certificate of this cluster's API server, for pods to check its identity with.",
    };
    return {
      kind: "create",
      configMap: {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: rootCaName, namespace: namespace.metadata.name ?? "", annotations },
        data,
      },
    };
  }
  const { "ca.crt": current, ...more } = existing.data ?? {};
  return current === ca && Object.keys(more).length === 0 ? { kind: "none" } : { kind: "update", configMap: { ...existing, data } };
}
