/**
 * DefaultStorageClass and DefaultIngressClass: what names no class gets the one that is marked as default
 * (`plugin/pkg/admission/storage/storageclass/setdefault`, `plugin/pkg/admission/network/defaultingressclass`).
 */
import type { Draft, KubeObject } from "../../api/object.ts";
import { ingressClasses, ingresses, persistentVolumeClaims, storageClasses, type Resource } from "../../api/resources.ts";
import { forbiddenError } from "../../api/status.ts";
import type { Ingress, PersistentVolumeClaim } from "../../api/types.ts";
import type { Store } from "../store.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";

const ofStorage = "storageclass.kubernetes.io/is-default-class";
const ofIngress = "ingressclass.kubernetes.io/is-default-class";
/** The old way to name an Ingress's class; who uses it wants no other. */
const ingressAnnotation = "kubernetes.io/ingress.class";

export function defaultStorageClass(store: Pick<Store, "resource">): AdmissionPlugin {
  return {
    name: "DefaultStorageClass",
    admit(request) {
      if (!isCreateOf(request, persistentVolumeClaims)) return;
      const { spec, metadata } = request.object as unknown as Draft<PersistentVolumeClaim>;
      if (spec === undefined || spec.storageClassName !== undefined) return;
      if (metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] !== undefined) return;
      // Of several the newest, and of equally new ones the first by name.
      const [newest] = marked(store, storageClasses, ofStorage).sort(
        (a, b) => age(b) - age(a) || ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1),
      );
      if (newest !== undefined) spec.storageClassName = newest.metadata.name ?? "";
    },
  };
}

export function defaultIngressClass(store: Pick<Store, "resource">): AdmissionPlugin {
  return {
    name: "DefaultIngressClass",
    admit(request) {
      if (!isCreateOf(request, ingresses)) return;
      const { spec, metadata } = request.object as unknown as Draft<Ingress>;
      if (spec === undefined || spec.ingressClassName !== undefined || metadata.annotations?.[ingressAnnotation] !== undefined) return;
      const classes = marked(store, ingressClasses, ofIngress);
      if (classes.length > 1)
        throw forbiddenError(ingresses, request.name, `${classes.length} default IngressClasses were found, only 1 allowed`);
      if (classes[0] !== undefined) spec.ingressClassName = classes[0].metadata.name ?? "";
    },
  };
}

function isCreateOf({ operation, subresource, kind }: AdmissionRequest, { group, plural }: Resource): boolean {
  return operation === "CREATE" && subresource === undefined && kind.resource.plural === plural && kind.resource.group === group;
}

function marked(store: Pick<Store, "resource">, resource: Resource, annotation: string): KubeObject[] {
  return store
    .resource(resource)
    .items()
    .map((item) => item.object())
    .filter(({ metadata }) => metadata.annotations?.[annotation] === "true");
}

const age = ({ metadata }: KubeObject): number => Date.parse(metadata.creationTimestamp ?? "") || 0;
