/** What a conversion to the Gateway API gives: objects to apply, and what they cannot say. */

export interface ConvertedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: object;
}

export interface ConversionNote {
  /** `refused`: it is not in the result; `differs`: it is, with this difference. */
  readonly verdict: "refused" | "differs";
  /** `Ingress shop/web` */
  readonly object: string;
  /** Path of the field; "": the object. */
  readonly field: string;
  readonly message: string;
}

export interface Conversion {
  readonly objects: readonly ConvertedObject[];
  readonly notes: readonly ConversionNote[];
}

export const gatewayApiVersion = "gateway.networking.k8s.io/v1";

/** Of names for objects: host and path may have more than a name may. */
export function objectName(...parts: readonly string[]): string {
  const text = parts
    .join("-")
    .toLowerCase()
    .replaceAll("*", "any")
    .replace(/[^a-z0-9.-]+/g, "-");
  return (
    text
      .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "")
      .slice(0, 63)
      .replace(/[^a-z0-9]+$/, "") || "route"
  );
}
