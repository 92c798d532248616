/** A console over a made-up cluster of any size: its objects are handed to it as if informers had read them. */
import { objectKey, type KubeObject } from "../../src/api/object.ts";
import { groupResource, type Resource } from "../../src/api/resources.ts";
import type { EndpointSlice, Service } from "../../src/api/types.ts";
import type { Client } from "../../src/client/client.ts";
import type { Informer, InformerFactory } from "../../src/client/informer.ts";
import { createConsole, type Console } from "../../src/console/server.ts";
import { realClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";

/** Not started. */
export function consoleOver(objects: readonly KubeObject[], assets: string): Console {
  const byKind = Map.groupBy(objects, ({ kind = "" }) => kind);
  const client = {
    list: async () => ({ metadata: {}, items: [] }),
    raw: async (path: string) => (path === "/version" ? { gitVersion: "v1.36.0" } : {}),
  } as unknown as Client;
  const informers = {
    informer: (resource: Resource) => informerOf(resource, byKind.get(resource.kind) ?? []),
    start: () => {},
  } as unknown as InformerFactory;
  return createConsole({
    client,
    informers,
    name: "made-up",
    server: "https://127.0.0.1:6443",
    port: 0,
    assets,
    clock: realClock,
    log: silentLogger,
  });
}

function informerOf(resource: Resource, objects: readonly KubeObject[]): Informer<KubeObject> {
  const byKey = new Map(objects.map((object) => [objectKey(object), object]));
  return {
    resource,
    lister: { list: () => objects, getByKey: (key: string) => byKey.get(key) },
    synced: true,
    addHandlers({ added }: { added?: (object: KubeObject, initial: boolean) => void }) {
      for (const object of objects) added?.(object, true);
      return () => {};
    },
    waitForSync: async () => {},
    toString: () => groupResource(resource),
  } as unknown as Informer<KubeObject>;
}

/** `count` Services in namespaces of a hundred; one of twenty has no ready endpoint, one of ten only some. */
export function manyServices(count: number): readonly KubeObject[] {
  return Array.from({ length: count }, (_, i) => i).flatMap((i): readonly KubeObject[] => {
    const namespace = `team-${String(Math.floor(i / 100)).padStart(3, "0")}`;
    const name = `service-${String(i % 100).padStart(2, "0")}`;
    const service: Service = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace, resourceVersion: "1" },
      spec: {
        type: "ClusterIP",
        clusterIP: `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`,
        ports: [{ name: "http", port: 80, protocol: "TCP" }],
      },
    };
    const slice: EndpointSlice = {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `${name}-1`, namespace, labels: { "kubernetes.io/service-name": name }, resourceVersion: "1" },
      addressType: "IPv4",
      ports: [{ name: "http", port: 8080, protocol: "TCP" }],
      endpoints: [0, 1].map((n) => ({
        addresses: [`10.244.${(i >> 7) & 255}.${((i << 1) & 254) + n}`],
        conditions: { ready: i % 20 !== 0 && (n === 0 || i % 10 !== 1) },
      })),
    };
    return [service, slice];
  });
}
