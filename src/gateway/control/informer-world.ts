/** What the processors ask, answered from informers. */
import { X509Certificate } from "node:crypto";
import { configMaps, endpointSlices, namespaces, secrets, services } from "../../api/resources.ts";
import type { EndpointSlice } from "../../api/types.ts";
import type { InformerFactory } from "../../client/informer.ts";
import type { GatewayClass } from "../../decide/routes/gateway-api/index.ts";
import { readSecret } from "../certificates.ts";
import type { KindFollower } from "./follow.ts";
import type { TrackerWorld } from "./gateway-tracker.ts";

/** Of EndpointSlices: by `namespace/name` of their Service. */
export const byService = "gateway/service";

export function serviceOfSlice({ metadata }: EndpointSlice): readonly string[] {
  const name = metadata.labels?.["kubernetes.io/service-name"];
  return name === undefined ? [] : [`${metadata.namespace}/${name}`];
}

/** `kinds`: asked when an object is, as it is made after the world. */
export function informerWorld(
  informers: InformerFactory,
  kinds: () => KindFollower,
  { controllerName, zone }: Pick<TrackerWorld, "controllerName" | "zone">,
): TrackerWorld {
  return {
    controllerName,
    gatewayClass: (name) => kinds().get("GatewayClass", name) as unknown as GatewayClass | undefined,
    namespaceLabels: (name) => {
      const found = informers.informer(namespaces).lister.get(undefined, name);
      return found === undefined ? undefined : (found.metadata.labels ?? {});
    },
    service: (namespace, name) => informers.informer(services).lister.get(namespace, name),
    secret: (namespace, name) => informers.informer(secrets).lister.get(namespace, name),
    configMap: (namespace, name) => informers.informer(configMaps).lister.get(namespace, name),
    zone,
    slices: (namespace, name) => informers.informer(endpointSlices).lister.byIndex(byService, `${namespace}/${name}`),
    grants: (namespace) => kinds().list("ReferenceGrant", namespace),
    backendTlsPolicies: (namespace) => kinds().list("BackendTLSPolicy", namespace),
    certificateFault: (secret) => {
      const read = readSecret(secret);
      return typeof read === "string" ? read : undefined;
    },
    bundleFault,
  };
}

const certificatePattern = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Why a text is no bundle of CA certificates. */
function bundleFault(pem: string): string | undefined {
  const found = pem.match(certificatePattern) ?? [];
  if (found.length === 0) return "has no certificate in PEM";
  try {
    for (const each of found) void new X509Certificate(each);
    return undefined;
  } catch {
    return "has a certificate that cannot be read";
  }
}
