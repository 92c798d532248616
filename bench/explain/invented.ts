/** An invented cluster: Services of two pods each, one in twenty broken in one of a few ways, on nodes in three zones. */
import type { KubeObject } from "../../src/api/object.ts";
import type { Node, Pod, Service } from "../../src/api/types.ts";
import { assume } from "../../src/decide/explain/assume.ts";
import type { Snapshot } from "../../src/decide/explain/snapshot.ts";

const perNamespace = 50;
const nodeCount = 100;
const zones = ["a", "b", "c"];

export function inventedCluster(services: number): Snapshot {
  const objects: KubeObject[] = Array.from({ length: nodeCount }, (_, i) => nodeOf(i));
  for (let i = 0; i < services; i++) {
    const namespace = `team-${Math.floor(i / perNamespace)}`;
    objects.push(serviceOf(i, namespace), podOf(i, 0, namespace), podOf(i, 1, namespace));
  }
  return assume(objects, { proxyMode: "nftables", podCIDRs: ["10.0.0.0/8"] });
}

function nodeOf(i: number): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: `node-${i}`, labels: { "topology.kubernetes.io/zone": zones[i % zones.length] as string } },
    spec: { podCIDR: `10.${i}.0.0/16`, podCIDRs: [`10.${i}.0.0/16`] },
    status: {
      addresses: [{ type: "InternalIP", address: `192.168.${Math.floor(i / 250)}.${(i % 250) + 1}` }],
      conditions: [{ type: "Ready", status: "True" }],
    },
  };
}

/** 0: sound; each of the others is broken in its way. */
const faultOf = (i: number): number => (i % 20 === 7 ? 1 + (Math.floor(i / 20) % 4) : 0);

function serviceOf(i: number, namespace: string): Service {
  const fault = faultOf(i);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: `web-${i}`, namespace, uid: `s${i}` },
    spec: {
      type: "ClusterIP",
      clusterIP: `172.${16 + Math.floor(i / 62_500)}.${Math.floor(i / 250) % 250}.${(i % 250) + 1}`,
      selector: { app: fault === 1 ? `wev-${i}` : `web-${i}` },
      ports: [{ name: "http", port: 80, targetPort: fault === 2 ? "htp" : fault === 3 ? 8081 : 8080, protocol: "TCP" }],
      ...(i % 10 === 3 ? { trafficDistribution: "PreferSameZone" } : {}),
    },
  };
}

function podOf(i: number, replica: number, namespace: string): Pod {
  const node = (i * 2 + replica) % nodeCount;
  const ready = faultOf(i) !== 4;
  const ip = `10.${node}.${Math.floor(i / 250) % 250}.${(i % 250) + 1}`;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `web-${i}-${replica}`, namespace, uid: `p${i}-${replica}`, labels: { app: `web-${i}` } },
    spec: { nodeName: `node-${node}`, containers: [{ name: "app", image: "web", ports: [{ name: "http", containerPort: 8080 }] }] },
    status: {
      phase: "Running",
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: "2026-01-01T00:00:00Z" }],
    },
  };
}
