/**
 * The real kube-proxy in the place of ours: a cluster without a proxy, whose nodes' network namespaces kube-proxy programs from our API
 * server, as a DaemonSet would do. Its health is green, and traffic goes where its rules lead it. Needs root, and kube-proxy named by
 * $KUBE_PROXY: `sh bin/node test/peers/build.ts --out DIR kube-proxy` builds it.
 */
import { execFileSync, type ChildProcess } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Json } from "../conformance/api.ts";
import { missingForConformance, startConformanceCluster, type ConformanceCluster, type Framework } from "../conformance/framework.ts";
import { createService, nodeAddresses, updateService } from "../conformance/jig.ts";
import { agnhostPod, container, createDeployment } from "../conformance/pods.ts";
import { untilEndpointCount } from "../conformance/slices.ts";
import { startChild } from "../support/children.ts";
import { missingTools } from "../support/tools.ts";

const binary = process.env["KUBE_PROXY"];
const missing =
  binary === undefined
    ? "name kube-proxy with $KUBE_PROXY (test/peers/build.ts builds it)"
    : process.getuid?.() !== 0
      ? "needs root: it enters the nodes' network namespaces"
      : (missingForConformance() ?? missingTools("nft", "iptables"));

if (binary === undefined || missing !== undefined) test("kube-proxy in place of ours", (context) => context.skip(missing));
else describe("kube-proxy in place of ours", { timeout: 240_000, concurrent: false }, () => scenario(binary));

function scenario(program: string): void {
  let cluster: ConformanceCluster;
  let f: Framework;
  let service: Json;
  beforeAll(async () => {
    cluster = await startConformanceCluster(["--disable", "proxy"]);
    f = await cluster.open();
    const labels = { app: "web" };
    service = await createService(f, "web", { type: "NodePort", selector: labels, ports: [{ port: 80, targetPort: 8080 }] });
    const hostPods = (await f.nodes()).map(({ metadata }) =>
      f.createReadyPod(agnhostPod(`on-${metadata.name}`, ["pause"], { hostNetwork: true, nodeName: metadata.name })),
    );
    const web = createDeployment(f, "web", 2, labels, container("main", ["netexec", "--udp-port=-1"]));
    await Promise.all([...hostPods, web, f.createReadyPod(agnhostPod("client"))]);
    await untilEndpointCount(f, "web", 2);
  }, 180_000);
  afterAll(() => cluster?.stop(), 60_000);

  const curl = (host: string, port: number) => `curl -s -g --max-time 5 http://${host}:${port}/hostname`;

  for (const mode of ["iptables", "nftables"])
    test(`mode ${mode}: green, and carries ClusterIP, NodePort, affinity and refusals`, async () => {
      const { clusterIP, ports } = service.spec;
      // Nobody carries Services yet: the address leads nowhere.
      const { code } = await f.kubectl("exec", "client", "--", "sh", "-c", "curl -s --max-time 2 http://" + clusterIP);
      expect(code).not.toBe(0);
      const nodes = await f.nodes();
      const children: ChildProcess[] = [];
      for (const { metadata } of nodes) children.push(await startIn(f, cluster.kubeconfig, program, metadata.name, mode));
      for (const { metadata } of nodes)
        await f.hostCommandUntil(`on-${metadata.name}`, "curl -s -w ' %{http_code}' http://127.0.0.1:10256/healthz", (text) =>
          text.endsWith(" 200"),
        );
      await f.hostCommandUntil("client", curl(clusterIP, 80), (text) => text.startsWith("web-"));
      const seen = await f.hostCommand("client", `for i in $(seq 20); do ${curl(clusterIP, 80)}; echo; done`);
      expect(new Set(seen.trim().split("\n")).size).toBe(2);
      for (const address of await nodeAddresses(f))
        expect(await f.hostCommand("client", curl(address, ports[0].nodePort))).toMatch(/^web-/);

      await updateService(f, "web", (spec) => (spec.sessionAffinity = "ClientIP"));
      await f.hostCommandUntil(
        "client",
        `for i in $(seq 20); do ${curl(clusterIP, 80)}; echo; done`,
        (text) => new Set(text.trim().split("\n")).size === 1,
      );
      await updateService(f, "web", (spec) => {
        spec.sessionAffinity = "None";
        delete spec.sessionAffinityConfig;
        spec.selector = { app: "nobody" };
      });
      await untilEndpointCount(f, "web", 0);
      await f.hostCommandUntil("client", `/agnhost connect --timeout=3s ${clusterIP}:80 2>&1 || true`, (text) => text.trim() === "REFUSED");
      await updateService(f, "web", (spec) => (spec.selector = { app: "web" }));
      await untilEndpointCount(f, "web", 2);
      for (const child of children) await ended(child);
      for (const { metadata } of nodes) enter(program, await networkOf(f, metadata.name), ["--cleanup"]);
    });
}

/** A process of the node's network namespace, by the namespace's number as a pod of the node's network sees it. */
async function networkOf(f: Framework, node: string): Promise<string> {
  const link = (await f.hostCommand(`on-${node}`, "readlink /proc/self/ns/net")).trim();
  const pid = readdirSync("/proc").find((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/ns/net`) === link;
    } catch {
      // It has just ended.
      return false;
    }
  });
  if (pid === undefined) throw new Error(`no process is in the network of ${node} (${link})`);
  return pid;
}

function enter(program: string, pid: string, words: readonly string[]): void {
  execFileSync("nsenter", ["-t", pid, "-n", "--", program, ...words], { stdio: "ignore", timeout: 60_000 });
}

async function startIn(f: Framework, kubeconfig: string, program: string, node: string, mode: string): Promise<ChildProcess> {
  const words = [
    `--kubeconfig=${await fromInside(f, kubeconfig)}`,
    ...[`--proxy-mode=${mode}`, `--hostname-override=${node}`, "--cluster-cidr=10.244.0.0/16,fd00:10:244::/56"],
    ...[
      "--conntrack-max-per-core=0",
      "--oom-score-adj=0",
      "--healthz-bind-address=127.0.0.1:10256",
      "--metrics-bind-address=127.0.0.1:10249",
    ],
  ];
  return startChild("nsenter", ["-t", await networkOf(f, node), "-n", "--", program, ...words], { stdio: "ignore" });
}

/** The same rights by the address that pods' networks reach: an endpoint of Service `kubernetes`. */
async function fromInside(f: Framework, kubeconfig: string): Promise<string> {
  const { subsets } = await f.api.get("/api/v1/namespaces/default/endpoints/kubernetes");
  const config = parse(readFileSync(kubeconfig, "utf8"));
  const { cluster } = config.clusters[0];
  cluster.server = `https://${subsets[0].addresses[0].ip}:${subsets[0].ports[0].port}`;
  cluster["tls-server-name"] = "kubernetes.default.svc";
  const path = join(kubeconfig, "..", "inside.kubeconfig");
  writeFileSync(path, stringify(config), { mode: 0o600 });
  return path;
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("close", () => resolve());
    child.kill("SIGTERM");
  });
}
