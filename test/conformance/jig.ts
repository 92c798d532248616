/** A Service under test and whether it can be reached (test/e2e/framework/service/jig.go, network/util.go). */
import { isIPv4 } from "node:net";
import { expect } from "vitest";
import type { Json } from "./api.ts";
import type { Framework } from "./framework.ts";
import { agnhostPod, container, createDeployment } from "./pods.ts";
import { endpointsOf, untilSlices } from "./slices.ts";

/** The labels by which a jig's Service selects. */
export const jigLabels = (name: string): Json => ({ testid: name });

export const httpPort = { name: "http", port: 80, protocol: "TCP", targetPort: 9376 };

export function createService(f: Framework, name: string, spec: Json, metadata: Json = {}): Promise<Json> {
  return f.api.create(f.core("services"), { metadata: { name, ...metadata }, spec });
}

export function createTcpService(f: Framework, name: string, spec: Json = {}): Promise<Json> {
  return createService(
    f,
    name,
    { selector: jigLabels(name), ports: [{ port: 80, protocol: "TCP" }], ...spec },
    { labels: jigLabels(name) },
  );
}

/** Reads it, changes its spec, and writes it. */
export async function updateService(f: Framework, name: string, change: (spec: Json) => void): Promise<Json> {
  const service = await f.api.get(f.core(`services/${name}`));
  change(service.spec);
  return await f.api.replace(f.core(`services/${name}`), service);
}

/** Pods that say their host names by TCP and UDP. */
export async function createServicePods(f: Framework, name: string, replicas: number): Promise<void> {
  const command = ["/agnhost", "serve-hostname", "--http=false", "--tcp", "--udp"];
  await createDeployment(f, name, replicas, jigLabels(name), { ...container("main", []), command });
}

export function createExecPod(f: Framework, name = "execpod"): Promise<Json> {
  return f.createReadyPod(agnhostPod(name));
}

/** By name, by address, and by each node's address, as its type has it. */
export async function checkReachable(f: Framework, service: Json, execPod: Json): Promise<void> {
  const { name } = service.metadata;
  const { type, clusterIP, ports } = service.spec;
  const from: string = execPod.metadata.name;
  if (type === "ExternalName") {
    expect(clusterIP ?? "").toBe("");
    await f.hostCommandUntil(from, `nslookup ${name}.${f.namespace}.svc.cluster.local`, () => true);
    return;
  }
  expect(clusterIP).toMatch(/^[\d.:a-f]+$/);
  await untilSlices(f, name, "at least one endpoint", (slices) => endpointsOf(slices).length > 0);
  for (const { port, protocol, nodePort } of ports) {
    await checkEndpoint(f, name, port, protocol, from);
    await checkEndpoint(f, clusterIP, port, protocol, from);
    if (type !== "NodePort") continue;
    expect(nodePort).toBeGreaterThan(0);
    for (const address of await nodeAddresses(f, isIPv4(clusterIP))) await checkEndpoint(f, address, nodePort, protocol, from);
  }
}

export async function checkEndpoint(f: Framework, host: string, port: number, protocol: string, from: string): Promise<void> {
  const flag = protocol === "UDP" ? "-u" : "-t";
  await f.hostCommandUntil(from, `echo hostName | nc -v ${flag} -w 2 ${host} ${port}`, (output) => output.trim() !== "");
}

export async function nodeAddresses(f: Framework, v4 = true): Promise<readonly string[]> {
  const addresses = (await f.nodes()).flatMap(({ status }) => status.addresses);
  return addresses.filter(({ type, address }) => type === "InternalIP" && isIPv4(address) === v4).map(({ address }) => address);
}

/** `http://TARGET/hostname` answers the pod's name. */
export async function execHostname(f: Framework, from: string, target: string, pod: string): Promise<void> {
  const output = await f.hostCommandUntil(from, `curl -q -s --max-time 30 ${target}/hostname`, (text) => text.trim() !== "");
  expect(output.trim()).toBe(pod);
}

/** Pods that serve their host names over HTTP, and a Service before them. */
export async function startServeHostname(f: Framework, name: string, replicas: number, spec: Json = {}): Promise<Json> {
  const ports = [{ port: 80, targetPort: 9376, protocol: "TCP" }];
  const service = await createService(f, name, { selector: { name }, ports, ...spec });
  const command = ["/agnhost", "serve-hostname"];
  const pods = await createDeployment(f, name, replicas, { name }, { ...container("main", []), command });
  expect(pods).toHaveLength(replicas);
  return service;
}
