/** test/e2e/common/network/networking.go (with framework/network/utils.go) and test/e2e/network/hostport.go. */
import { isIPv4 } from "node:net";
import { expect } from "vitest";
import type { Json } from "./api.ts";
import type { Case, Framework } from "./framework.ts";
import { agnhostPod, container, podOf } from "./pods.ts";

const [httpPort, udpPort, dialPort] = [8083, 8081, 9080];

/** A server on each node, and the pod that asks. */
async function setUp(f: Framework, hostNetwork: boolean): Promise<{ servers: readonly Json[]; client: string; clientIP: string }> {
  const probe = { httpGet: { path: "/healthz", port: httpPort }, timeoutSeconds: 30, periodSeconds: 10, failureThreshold: 3 };
  const names = (await f.nodes()).map(({ metadata }) => metadata.name as string);
  const servers = names.map((node, index) =>
    f.createReadyPod(
      podOf(
        `netserver-${index}`,
        [
          container("webserver", ["netexec", `--http-port=${httpPort}`, `--udp-port=${udpPort}`], {
            ports: [
              { name: "http", containerPort: httpPort },
              { name: "udp", containerPort: udpPort, protocol: "UDP" },
            ],
            livenessProbe: probe,
            readinessProbe: probe,
          }),
        ],
        { nodeSelector: { "kubernetes.io/hostname": node } },
      ),
    ),
  );
  const dialer = container("webserver", ["netexec", `--http-port=${dialPort}`, `--udp-port=${udpPort}`]);
  const client = f.createReadyPod(
    hostNetwork ? agnhostPod("host-test-container-pod", ["pause"], { hostNetwork: true }) : podOf("test-container-pod", [dialer]),
  );
  const { metadata, status } = await client;
  return { servers: await Promise.all(servers), client: metadata.name, clientIP: status.podIP };
}

/** The client pod's `/dial` asks each server, whose name comes back. */
const betweenPods =
  (protocol: "http" | "udp"): Case =>
  async (f) => {
    const { servers, client, clientIP } = await setUp(f, false);
    const port = protocol === "http" ? httpPort : udpPort;
    for (const { metadata, status } of servers) {
      const url = `http://${clientIP}:${dialPort}/dial?request=hostname&protocol=${protocol}&host=${status.podIP}&port=${port}&tries=1`;
      const output = await f.hostCommandUntil(client, `curl -g -q -s '${url}'`, (text) => text.includes("responses"));
      expect(JSON.parse(output)).toEqual({ responses: [metadata.name] });
    }
  };

/** A pod of the node's own network asks each server. */
const fromNode =
  (protocol: "http" | "udp"): Case =>
  async (f) => {
    const { servers, client } = await setUp(f, true);
    for (const { metadata, status } of servers) {
      const command =
        protocol === "http"
          ? `curl -g -q -s --max-time 15 --connect-timeout 1 http://${status.podIP}:${httpPort}/hostName | grep -v '^\\s*$'`
          : `echo hostName | nc -w 1 -u ${status.podIP} ${udpPort} | grep -v '^\\s*$'`;
      expect((await f.hostCommandUntil(client, command, (text) => text.trim() !== "")).trim()).toBe(metadata.name);
    }
  };

const hostPorts: Case = async (f) => {
  const node = (await f.nodes())[0];
  const hostIP = node.status.addresses.find(({ type, address }: Json) => type === "InternalIP" && isIPv4(address)).address;
  const pod = (name: string, ip: string, protocol: "TCP" | "UDP") => {
    const http = protocol === "TCP" ? 8080 : 8008;
    const args = ["netexec", `--http-port=${http}`, `--udp-port=${protocol === "TCP" ? -1 : 8080}`];
    const ports = [{ hostPort: 54323, containerPort: 8080, protocol, hostIP: ip }];
    const readinessProbe = { httpGet: { path: "/hostname", port: http, scheme: "HTTP" } };
    return f.createReadyPod(podOf(name, [container("agnhost", args, { ports, readinessProbe })], { nodeName: node.metadata.name }));
  };
  await pod("pod1", "127.0.0.1", "TCP");
  await Promise.all([
    pod("pod2", hostIP, "TCP"),
    pod("pod3", hostIP, "UDP"),
    f.createReadyPod(agnhostPod("e2e-host-exec", ["pause"], { hostNetwork: true, nodeName: node.metadata.name })),
  ]);
  const ask = async (command: string) => (await f.hostCommandUntil("e2e-host-exec", command, (text) => text.trim() !== "")).trim();
  expect([
    await ask(`curl -s -g --connect-timeout 5 --interface ${hostIP} http://127.0.0.1:54323/hostname`),
    await ask(`curl -s -g --connect-timeout 5 http://${hostIP}:54323/hostname`),
    await ask(`echo hostname | nc -u -w 5 ${hostIP} 54323`),
  ]).toEqual(["pod1", "pod2", "pod3"]);
};

export const networkingCases: Readonly<Record<string, Case>> = {
  "HostPort validates that there is no conflict between pods with same hostPort but different hostIP and protocol [LinuxOnly]": hostPorts,
  "Networking Granular Checks: Pods should function for intra-pod communication: http [NodeConformance]": betweenPods("http"),
  "Networking Granular Checks: Pods should function for intra-pod communication: udp [NodeConformance]": betweenPods("udp"),
  "Networking Granular Checks: Pods should function for node-pod communication: http [LinuxOnly] [NodeConformance]": fromNode("http"),
  "Networking Granular Checks: Pods should function for node-pod communication: udp [LinuxOnly] [NodeConformance]": fromNode("udp"),
};
