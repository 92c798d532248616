/** A cluster of many Services, each with a slice of endpoints as the controllers write them; every fifth is headless. */
import { endpointSlices, namespaces, services } from "../../src/api/resources.ts";
import type { EndpointSlice, Service } from "../../src/api/types.ts";
import type { Client } from "../../src/client/client.ts";

export interface Size {
  readonly services: number;
  /** Of each Service. */
  readonly endpoints: number;
}

const namespaceCount = 20;
const underWay = 64;
const namespaceOf = (service: number): string => `team-${service % namespaceCount}`;

export const nameOf = (service: number): string => `svc-${service}.${namespaceOf(service)}.svc.cluster.local.`;

/** `round`: another one gives other addresses. */
const addressOf = (service: number, endpoint: number, round: number): string =>
  `10.${128 + ((service >> 8) & 127)}.${service & 255}.${(endpoint + round * 20) % 256}`;

export function sliceOf(service: number, { endpoints }: Size, round = 0): EndpointSlice {
  return {
    metadata: {
      name: `svc-${service}-x7k2p`,
      namespace: namespaceOf(service),
      labels: {
        "app.kubernetes.io/name": `svc-${service}`,
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": `svc-${service}`,
      },
    },
    addressType: "IPv4",
    endpoints: Array.from({ length: endpoints }, (_, i) => ({
      addresses: [addressOf(service, i, round)],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: `node-${(service + i) % 500}`,
      zone: `zone-${i % 3}`,
      targetRef: { kind: "Pod", namespace: namespaceOf(service), name: `svc-${service}-6f9c7d8b5-${i}xk2p`, uid: `${service}-${i}` },
    })),
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  };
}

function serviceOf(service: number): Service {
  return {
    metadata: { name: `svc-${service}`, namespace: namespaceOf(service), labels: { "app.kubernetes.io/name": `svc-${service}` } },
    spec: {
      ...(service % 5 === 0 ? { clusterIP: "None" } : {}),
      selector: { "app.kubernetes.io/name": `svc-${service}` },
      ports: [{ name: "http", port: 80, targetPort: 8080 }],
    },
  };
}

export async function fill(client: Client, size: Size): Promise<void> {
  for (let i = 0; i < namespaceCount; i++) await client.create(namespaces, { metadata: { name: namespaceOf(i) } });
  let next = 0;
  const work = async () => {
    for (let service = next++; service < size.services; service = next++) {
      await client.create(services, serviceOf(service));
      await client.create(endpointSlices, sliceOf(service, size));
    }
  };
  await Promise.all(Array.from({ length: underWay }, work));
}
