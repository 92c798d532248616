/** The admission plugins, in the order in which they are asked. */
import type { Store } from "../store.ts";
import type { AdmissionPlugin } from "./admission.ts";
import { defaultTolerations } from "./default-tolerations.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { serviceAccount } from "./service-account.ts";

export function admissionPlugins(store: Pick<Store, "resource">): readonly AdmissionPlugin[] {
  return [namespaceLifecycle(store), serviceAccount, defaultTolerations];
}
