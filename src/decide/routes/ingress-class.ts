/** Whose an Ingress is (KEP-1453; `pkg/apis/networking` IngressClass; the annotation is older than the field). */
import type { Ingress, IngressClass } from "../../api/types.ts";
import type { RouteReason } from "./reasons.ts";

/** Classes of others that are served as long as nobody has them. */
export const standInClasses: readonly string[] = ["nginx", "traefik", "istio"];

export const ingressController = "fairlead.dev/ingress";
export const defaultClassAnnotation = "ingressclass.kubernetes.io/is-default-class";
export const legacyClassAnnotation = "kubernetes.io/ingress.class";

export interface ClassPolicy {
  /** `spec.controller` of the classes that are ours. */
  readonly controller: string;
  /** Names that we serve when no IngressClass of that name says otherwise: `nginx`, for manifests written for it. */
  readonly standInFor: readonly string[];
  /** Serves Ingresses without a class when no class is the default. */
  readonly serveClassless: boolean;
}

export type ClassVerdict =
  | { readonly kind: "ours"; readonly className: string | undefined }
  | {
      readonly kind: "not-ours";
      readonly reason: Extract<RouteReason, "OtherClass" | "IngressClassNotFound" | "NoClass">;
      readonly message: string;
    };

export function classVerdict(ingress: Ingress, classes: readonly IngressClass[], policy: ClassPolicy): ClassVerdict {
  const name = ingress.spec?.ingressClassName ?? ingress.metadata.annotations?.[legacyClassAnnotation];
  return name === undefined || name === "" ? unnamed(classes, policy) : named(name, classes, policy);
}

function named(name: string, classes: readonly IngressClass[], policy: ClassPolicy): ClassVerdict {
  const found = classes.find(({ metadata }) => metadata.name === name);
  if (found === undefined) {
    return policy.standInFor.includes(name)
      ? { kind: "ours", className: name }
      : { kind: "not-ours", reason: "IngressClassNotFound", message: `there is no IngressClass ${JSON.stringify(name)}` };
  }
  return ofClass(found, policy);
}

/** The newest of several defaults, as the admission plugin `DefaultIngressClass` chooses; that one writes it into new objects. */
function unnamed(classes: readonly IngressClass[], policy: ClassPolicy): ClassVerdict {
  const [newest] = classes
    .filter(({ metadata }) => metadata.annotations?.[defaultClassAnnotation] === "true")
    .toSorted((a, b) => later(b.metadata.creationTimestamp, a.metadata.creationTimestamp) || later(a.metadata.name, b.metadata.name));
  if (newest !== undefined) return ofClass(newest, policy);
  if (policy.serveClassless) return { kind: "ours", className: undefined };
  return { kind: "not-ours", reason: "NoClass", message: "spec.ingressClassName is not set, and no IngressClass is the default" };
}

function later(a = "", b = ""): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function ofClass({ metadata, spec }: IngressClass, policy: ClassPolicy): ClassVerdict {
  if (spec?.controller === policy.controller) return { kind: "ours", className: metadata.name };
  return {
    kind: "not-ours",
    reason: "OtherClass",
    message: `IngressClass ${JSON.stringify(metadata.name)} belongs to controller ${JSON.stringify(spec?.controller ?? "")}`,
  };
}
