/** The admission plugins, in the order in which they are asked. */
import type { AdmissionPlugin } from "./admission.ts";
import { certificateRequestor } from "./certificate-requestor.ts";
import { defaultIngressClass, defaultStorageClass } from "./default-classes.ts";
import { defaultTolerations } from "./default-tolerations.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { nodeRestriction } from "./node-restriction.ts";
import { priority } from "./priority.ts";
import { serviceAccount, type ServiceAccountOptions } from "./service-account.ts";

export function admissionPlugins(options: ServiceAccountOptions): readonly AdmissionPlugin[] {
  const { store } = options;
  return [
    namespaceLifecycle(store),
    serviceAccount(options),
    nodeRestriction(store),
    defaultTolerations,
    priority(store),
    defaultStorageClass(store),
    defaultIngressClass(store),
    certificateRequestor,
  ];
}
