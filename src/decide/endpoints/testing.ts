/** Objects for tests of endpoints: the least that makes one, with what the test is about put over it. */
import type { Node, Pod, Service, ServicePort } from "../../api/types.ts";

export interface PodFacts {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly ip?: string | readonly string[] | undefined;
  readonly ready?: boolean;
  readonly terminating?: boolean;
  readonly phase?: string;
  readonly node?: string;
  /** name → containerPort, TCP. */
  readonly ports?: Readonly<Record<string, number>>;
  readonly spec?: Partial<NonNullable<Pod["spec"]>>;
}

export function testPod(facts: PodFacts = {}): Pod {
  const { name = "web-1", namespace = "default", labels = { app: "web" }, ip = "127.97.0.1", ready = true, node = "node-1" } = facts;
  const ips = typeof ip === "string" ? [ip] : ip;
  const podIPs = "ip" in facts && facts.ip === undefined ? [] : (ips ?? []).map((each) => ({ ip: each }));
  const ports = Object.entries(facts.ports ?? { http: 8080 }).map(([portName, containerPort]) => ({
    name: portName,
    containerPort,
    protocol: "TCP",
  }));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels, uid: `uid-${name}`, ...(facts.terminating ? { deletionTimestamp: "2026-01-01T00:10:00Z" } : {}) },
    spec: { nodeName: node, containers: [{ name: "app", image: "fairlead.dev/node", ports }], ...facts.spec },
    status: {
      phase: facts.phase ?? "Running",
      ...(podIPs[0] === undefined ? {} : { podIP: podIPs[0].ip, podIPs }),
      conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: "2026-01-01T00:00:00Z" }],
    },
  };
}

export function testService(spec: Partial<NonNullable<Service["spec"]>> = {}, metadata: Partial<Service["metadata"]> = {}): Service {
  const ports: readonly ServicePort[] = [{ name: "http", port: 80, protocol: "TCP", targetPort: 8080 }];
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "default", uid: "uid-service", ...metadata },
    spec: {
      type: "ClusterIP",
      clusterIP: "127.96.0.10",
      clusterIPs: ["127.96.0.10"],
      ipFamilies: ["IPv4"],
      selector: { app: "web" },
      ports,
      ...spec,
    },
  };
}

export function testNode(name = "node-1", labels: Readonly<Record<string, string>> = {}): Node {
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels }, status: { conditions: [{ type: "Ready", status: "True" }] } };
}

/** Finds `node-1` and nothing else. */
export const oneNode = (name: string): Node | undefined => (name === "node-1" ? testNode() : undefined);
