/**
 * NamespaceLifecycle: nothing is created in a namespace that does not exist or is being emptied, and the namespaces that
 * the system needs are never deleted (apiserver `pkg/admission/plugin/namespace/lifecycle`).
 */
import { namespaces } from "../../api/resources.ts";
import { forbiddenError, notFoundError, StatusError } from "../../api/status.ts";
import type { Namespace } from "../../api/types.ts";
import type { Store } from "../store.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";

const immortal: ReadonlySet<string> = new Set(["default", "kube-system", "kube-public"]);

export function namespaceLifecycle(store: Pick<Store, "resource">): AdmissionPlugin {
  const stored = store.resource(namespaces);
  return {
    name: "NamespaceLifecycle",
    admit(request) {
      const { kind, operation, name, namespace } = request;
      if (operation === "DELETE" && kind.resource.plural === "namespaces" && immortal.has(name))
        throw forbiddenError(namespaces, name, "this namespace may not be deleted");
      if (operation !== "CREATE" || namespace === undefined || request.subresource !== undefined) return;
      const found = stored.get(namespace)?.object() as Namespace | undefined;
      if (found === undefined) throw notFoundError(namespaces, namespace);
      if (found.metadata.deletionTimestamp !== undefined) throw terminatingError(request, namespace);
    },
  };
}

/** With a cause by which controllers know that trying again is of no use. */
function terminatingError({ kind, name }: AdmissionRequest, namespace: string): StatusError {
  const { status } = forbiddenError(
    kind.resource,
    name,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  const cause = { reason: "NamespaceTerminating", message: `namespace ${namespace} is being terminated`, field: "metadata.namespace" };
  return new StatusError({ ...status, details: { ...status.details, causes: [cause] } });
}
