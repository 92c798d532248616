/** The Gateway API's resources, in the newest version that the cluster serves: their definitions are the user's to install. */
import type { KubeObject } from "../../api/object.ts";
import type { Resource } from "../../api/resources.ts";
import type { CustomResourceDefinition } from "../../api/types.ts";
import {
  gatewayGroup,
  type BackendTlsPolicy,
  type GatewayClass,
  type GatewayObject,
  type GrpcRoute,
  type HttpRoute,
  type ListenerSet,
  type ReferenceGrant,
  type TcpRoute,
  type TlsRoute,
  type UdpRoute,
} from "../../decide/routes/gateway-api/index.ts";

export interface GatewayKinds {
  readonly GatewayClass: GatewayClass;
  readonly Gateway: GatewayObject;
  readonly ListenerSet: ListenerSet;
  readonly HTTPRoute: HttpRoute;
  readonly GRPCRoute: GrpcRoute;
  readonly TLSRoute: TlsRoute;
  readonly TCPRoute: TcpRoute;
  readonly UDPRoute: UdpRoute;
  readonly ReferenceGrant: ReferenceGrant;
  readonly BackendTLSPolicy: BackendTlsPolicy;
}

export type GatewayKind = keyof GatewayKinds;

export const gatewayKinds: readonly GatewayKind[] = [
  "GatewayClass",
  "Gateway",
  "ListenerSet",
  "HTTPRoute",
  "GRPCRoute",
  "TLSRoute",
  "TCPRoute",
  "UDPRoute",
  "ReferenceGrant",
  "BackendTLSPolicy",
];

/** Without these there is nothing to do. */
export const neededKinds: readonly GatewayKind[] = ["GatewayClass", "Gateway"];

/** Shapes as they are read here; before these a kind was another (`v1alpha2` of TLSRoute is close enough). */
const versions = ["v1", "v1beta1", "v1alpha3", "v1alpha2"];

/** Undefined: not one of the kinds, or not served (yet). */
export function resourceOf(definition: CustomResourceDefinition): Resource<KubeObject> | undefined {
  const { group, names, scope, versions: all } = definition.spec;
  const established = definition.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True");
  if (group !== gatewayGroup || established !== true || !gatewayKinds.includes(names.kind as GatewayKind)) return undefined;
  const version = versions.find((name) => all.some((each) => each.name === name && each.served));
  return version === undefined ? undefined : { group, version, plural: names.plural, kind: names.kind, namespaced: scope === "Namespaced" };
}

export const bundleVersionAnnotation = "gateway.networking.k8s.io/bundle-version";
export const channelAnnotation = "gateway.networking.k8s.io/channel";
