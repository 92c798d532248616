/**
 * ServiceAccount: a pod that names no service account runs as its namespace's `default`. Tokens are not mounted: the
 * server issues none yet, and pods that need the API get a kubeconfig of their own.
 */
import { pods } from "../../api/resources.ts";
import type { Draft } from "../../api/object.ts";
import type { Pod } from "../../api/types.ts";
import type { AdmissionPlugin } from "./admission.ts";

export const serviceAccount: AdmissionPlugin = {
  name: "ServiceAccount",
  admit({ kind, operation, subresource, object }) {
    if (kind.resource.plural !== pods.plural || kind.resource.group !== "" || operation !== "CREATE" || subresource !== undefined) return;
    const { spec } = object as Draft<Pod>;
    if (spec === undefined) return;
    const name = spec.serviceAccountName || spec.serviceAccount || "default";
    spec.serviceAccountName = name;
    spec.serviceAccount = name;
  },
};
