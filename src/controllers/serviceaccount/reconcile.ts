/** Every living namespace has the ServiceAccount `default`. Pure. */
import type { Namespace, ServiceAccount } from "../../api/types.ts";

export const defaultServiceAccount = "default";

/** The account to create; undefined when there is nothing to do. */
export function missingServiceAccount(namespace: Namespace | undefined, existing: ServiceAccount | undefined): ServiceAccount | undefined {
  if (namespace === undefined || namespace.status?.phase === "Terminating" || namespace.metadata.deletionTimestamp !== undefined)
    return undefined;
  if (existing !== undefined) return undefined;
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: defaultServiceAccount, namespace: namespace.metadata.name ?? "" } };
}
