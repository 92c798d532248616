/** test/e2e/network/service.go: what becomes of a Service that changes its type, and whom session affinity leads where. */
import { expect } from "vitest";
import type { Json } from "./api.ts";
import type { Case, Framework } from "./framework.ts";
import {
  checkReachable,
  createExecPod,
  createService,
  createServicePods,
  createTcpService,
  httpPort,
  nodeAddresses,
  startServeHostname,
  updateService,
} from "./jig.ts";

async function reachableWithPods(f: Framework, service: Json): Promise<void> {
  const [execPod] = await Promise.all([createExecPod(f), createServicePods(f, service.metadata.name, 2)]);
  await checkReachable(f, service, execPod);
}

/** An ExternalName becomes a Service with addresses. */
const fromExternalName =
  (type: "ClusterIP" | "NodePort"): Case =>
  async (f) => {
    const name = "externalname-service";
    const selector = { testid: name };
    const created = await createService(f, name, { type: "ExternalName", externalName: "foo.example.com", selector });
    expect(created.spec.clusterIP ?? "").toBe("");
    const service = await updateService(f, name, (spec) => {
      spec.type = type;
      delete spec.externalName;
      spec.ports = [httpPort];
    });
    expect(service.spec.type).toBe(type);
    await reachableWithPods(f, service);
  };

/** A Service gives its addresses back and becomes a name for another. */
const toExternalName =
  (type: "ClusterIP" | "NodePort"): Case =>
  async (f) => {
    const name = `${type.toLowerCase()}-service`;
    await createTcpService(f, name, { type });
    const [execPod] = await Promise.all([createExecPod(f), startServeHostname(f, "externalsvc", 2)]);
    const service = await updateService(f, name, (spec) => {
      spec.type = "ExternalName";
      spec.externalName = `externalsvc.${f.namespace}.svc.cluster.local`;
      // client-go's object has no such fields left: the jig clears what an ExternalName may not have.
      for (const field of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]) delete spec[field];
      for (const port of spec.ports) delete port.nodePort;
    });
    expect([service.spec.clusterIP ?? "", service.spec.ports?.some(({ nodePort }: Json) => nodePort > 0) ?? false]).toEqual(["", false]);
    await checkReachable(f, service, execPod);
  };

const nodePort: Case = async (f) => {
  await reachableWithPods(f, await createTcpService(f, "nodeport-test", { type: "NodePort", ports: [httpPort] }));
};

/** So many answers in a row decide. */
const confirmations = 15;

async function untilAffinity(f: Framework, host: string, port: number, holds: boolean): Promise<void> {
  const url = host.includes(":") ? `http://[${host}]:${port}/` : `http://${host}:${port}/`;
  const script = `for i in $(seq 0 ${confirmations}); do echo; curl -q -s --connect-timeout 2 --max-time 60 ${url} ; done`;
  await f.hostCommandUntil("execpod-affinity", script, (output) => {
    const names = output.split("\n").filter((line) => line !== "");
    return names.length > confirmations && (new Set(names).size === 1) === holds;
  });
}

const affinity =
  (name: string, type: "ClusterIP" | "NodePort", transition: boolean): Case =>
  async (f) => {
    const [service, execPod] = await Promise.all([
      startServeHostname(f, name, 3, { type, sessionAffinity: "ClientIP" }),
      createExecPod(f, "execpod-affinity"),
    ]);
    const host = type === "NodePort" ? ((await nodeAddresses(f))[0] as string) : service.spec.clusterIP;
    const port = type === "NodePort" ? service.spec.ports[0].nodePort : 80;
    await checkReachable(f, service, execPod);
    if (!transition) return await untilAffinity(f, host, port, true);
    await updateService(f, name, (spec) => {
      spec.sessionAffinity = "None";
      delete spec.sessionAffinityConfig;
    });
    await untilAffinity(f, host, port, false);
    await updateService(f, name, (spec) => (spec.sessionAffinity = "ClientIP"));
    await untilAffinity(f, host, port, true);
  };

export const serviceTypeCases: Readonly<Record<string, Case>> = {
  "Services should be able to change the type from ClusterIP to ExternalName": toExternalName("ClusterIP"),
  "Services should be able to change the type from ExternalName to ClusterIP": fromExternalName("ClusterIP"),
  "Services should be able to change the type from ExternalName to NodePort": fromExternalName("NodePort"),
  "Services should be able to change the type from NodePort to ExternalName": toExternalName("NodePort"),
  "Services should be able to create a functioning NodePort service": nodePort,
  "Services should be able to switch session affinity for NodePort service [LinuxOnly]": affinity(
    "affinity-nodeport-transition",
    "NodePort",
    true,
  ),
  "Services should be able to switch session affinity for service with type clusterIP [LinuxOnly]": affinity(
    "affinity-clusterip-transition",
    "ClusterIP",
    true,
  ),
  "Services should have session affinity work for NodePort service [LinuxOnly]": affinity("affinity-nodeport", "NodePort", false),
  "Services should have session affinity work for service with type clusterIP [LinuxOnly]": affinity(
    "affinity-clusterip",
    "ClusterIP",
    false,
  ),
};
