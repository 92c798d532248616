/** What the program reads of the cluster, and what follows from its settings for the node's places. */
import type { KubeObject } from "../../api/object.ts";
import type { ServiceCIDR } from "../../api/types.ts";
import type { Informer } from "../../client/informer.ts";
import type { IpFamily } from "../../lib/ip.ts";
import type { ProxySettings } from "../configuration/settings.ts";
import type { Carrier } from "./carrier.ts";

/** A third of a Service's size, of which no plan needs anything. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata;
  return Object.freeze({ ...object, metadata: Object.freeze(metadata) });
}

/** As kube-proxy's: the API server need not send what a proxy leaves alone. */
export function selectorsOf(nodeName: string) {
  return {
    services: { labelSelector: "!service.kubernetes.io/service-proxy-name", fieldSelector: "spec.clusterIP!=None" },
    endpointslices: { labelSelector: "!service.kubernetes.io/headless" },
    nodes: { fieldSelector: `metadata.name=${nodeName}` },
  };
}

/** An Event about a node goes by its name: kube-proxy does not know its uid either. */
export const nodeReference = (name: string) => ({ apiVersion: "v1", kind: "Node", metadata: { name, uid: name } });

/** Mode nftables guards the Services' ranges; a cluster that does not say them (before 1.33) has them unguarded, as upstream. */
const rangesMs = 5000;

export async function rangesOf(informer: Informer<ServiceCIDR>, stopping: AbortSignal): Promise<readonly string[]> {
  try {
    await informer.waitForSync(AbortSignal.any([stopping, AbortSignal.timeout(rangesMs)]));
  } catch {
    return [];
  }
  return informer.lister.list().flatMap(({ spec }) => spec?.cidrs ?? []);
}

/** Upstream opens a health check on the addresses of --nodeport-addresses, or on all. */
export function healthPlaces(settings: ProxySettings, addresses: readonly string[], families: readonly number[]): readonly string[] {
  if (settings.nodePortAddresses.length > 0) return addresses;
  return families.map((family) => (family === 4 ? "0.0.0.0" : "::"));
}

/** Mode iptables may have those of IPv4 by its own rules. */
export function loopbackFamilies(
  { mode, families }: Pick<Carrier, "mode" | "families">,
  { localhostNodePorts }: ProxySettings,
): readonly IpFamily[] {
  return families.filter((family) => !(mode === "iptables" && family === 4 && localhostNodePorts));
}
