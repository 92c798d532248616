/** What the processors may ask about other objects. Whoever calls them answers from its informers, a file or a test. */
import type { ConfigMap, Secret, Service } from "../../../api/types.ts";
import type { BackendTlsPolicy, GatewayClass, ReferenceGrant } from "./objects.ts";

export interface GatewayWorld {
  /** `spec.controllerName` of the classes that are ours. */
  readonly controllerName: string;
  readonly gatewayClass: (name: string) => GatewayClass | undefined;
  /** Labels of a Namespace; undefined: it does not exist. */
  readonly namespaceLabels: (name: string) => Readonly<Record<string, string>> | undefined;
  readonly service: (namespace: string, name: string) => Service | undefined;
  readonly secret: (namespace: string, name: string) => Secret | undefined;
  readonly configMap: (namespace: string, name: string) => ConfigMap | undefined;
  readonly grants: (namespace: string) => readonly ReferenceGrant[];
  /** Those of a namespace. */
  readonly backendTlsPolicies: (namespace: string) => readonly BackendTlsPolicy[];
  /** Why a Secret is no certificate and key that can be served; undefined: it is one. */
  readonly certificateFault: (secret: Secret) => string | undefined;
  /** Why a text is no bundle of CA certificates. */
  readonly bundleFault: (pem: string) => string | undefined;
}
