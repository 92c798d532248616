/**
 * What a node does with pods in namespaces, from the API to the process and back, as cases that need no test runner (see
 * `runtime/runtime.cases.ts`). The API is the fake one in memory; everything else is real.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { configMaps, pods } from "../api/resources.ts";
import type { Container, Pod, PodSpec } from "../api/types.ts";
import { FakeCluster } from "./fake-cluster.ts";
import { createKubelet, type Kubelet } from "./kubelet.ts";
import type { RuntimeRig } from "./runtime/runtime.cases.ts";

export interface KubeletRig extends RuntimeRig {
  readonly nodeAddresses: readonly string[];
  readonly podCIDRs: readonly string[];
}

export interface KubeletCase {
  readonly name: string;
  readonly run: (rig: KubeletRig) => Promise<void>;
}

class Node {
  readonly cluster = new FakeCluster();
  readonly kubelet: Kubelet;

  constructor(rig: KubeletRig) {
    this.kubelet = createKubelet({
      nodeName: "node-1",
      nodeAddresses: rig.nodeAddresses.map((address) => ({ type: "InternalIP", address })),
      podCIDRs: rig.podCIDRs,
      client: this.cluster.client,
      informers: this.cluster.informers,
      recorder: this.cluster.recorder,
      runtime: rig.runtime,
      dataDir: join(rig.directory, ".."),
      version: "v1.36.0",
      backOff: { initialMs: 60, maxMs: 1000 },
      storagePeriodMs: 200,
      terminationDelayMs: 0,
    });
  }

  make(name: string, container: Partial<Container>, spec: Partial<PodSpec> = {}): void {
    const containers = [{ name: "main", image: "busybox", ...container }];
    const metadata = { name, namespace: "default", uid: randomUUID(), labels: { app: name } };
    this.cluster.create(pods, { metadata, spec: { nodeName: "node-1", terminationGracePeriodSeconds: 2, ...spec, containers } });
  }

  get(name: string): Pod | undefined {
    return this.cluster.get(pods, { namespace: "default", name });
  }

  async ready(name: string): Promise<Pod> {
    await until(() => this.get(name)?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true);
    return this.get(name) as Pod;
  }

  async succeeded(name: string): Promise<void> {
    await until(() => ["Succeeded", "Failed"].includes(this.get(name)?.status?.phase ?? ""));
  }

  async remove(name: string): Promise<void> {
    this.cluster.remove(pods, { namespace: "default", name });
    await until(() => this.get(name) === undefined);
  }

  async log(name: string): Promise<string> {
    const ref = { namespace: "default", name, uid: "" };
    const options = { container: "main", follow: false, previous: false, timestamps: false };
    const chunks: Uint8Array[] = [];
    for await (const chunk of await this.kubelet.logs(ref, options, new AbortController().signal)) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }

  async exec(name: string, script: string): Promise<string> {
    const ref = { namespace: "default", name, uid: "" };
    const command = ["sh", "-c", script];
    const session = await this.kubelet.exec(ref, { container: "main", command, stdin: false, stdout: true, stderr: true, tty: false });
    const chunks: Uint8Array[] = [];
    session.onOutput((_, chunk) => chunks.push(chunk));
    await session.done;
    return Buffer.concat(chunks).toString();
  }
}

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 3));
}

async function onNode(rig: KubeletRig, work: (node: Node) => Promise<void>): Promise<void> {
  const node = new Node(rig);
  await node.kubelet.start();
  try {
    await work(node);
    for (const name of ["web", "job", "other"]) if (node.get(name) !== undefined) await node.remove(name);
  } finally {
    await node.kubelet.stop();
  }
}

const shell = (script: string): Partial<Container> => ({ command: ["sh", "-c", script] });
const waits = "trap 'exit 0' TERM; while :; do sleep 0.05 & wait; done";
const serve = (port: number) => ["node", "-e", `require('http').createServer((q, r) => r.end('hi')).listen(${port})`];

export const kubeletCases: readonly KubeletCase[] = [
  {
    name: "a pod becomes ready by a probe from its node, with an address of each family, and goes",
    run: (rig) =>
      onNode(rig, async (node) => {
        const readinessProbe = { httpGet: { path: "/", port: 80 } };
        node.make("web", { image: "node", command: serve(80), readinessProbe, livenessProbe: { tcpSocket: { port: 80 } } });
        const { status } = await node.ready("web");
        assert.equal(status?.podIPs?.length, rig.podCIDRs.length);
        assert.equal(status?.podIP, status?.podIPs?.[0]?.ip);
        assert.deepEqual(
          status?.hostIPs?.map(({ ip }) => ip),
          rig.nodeAddresses,
        );
        const socket = await node.kubelet.dial({ namespace: "default", name: "web", uid: "" }, 80);
        socket.write("GET / HTTP/1.0\r\n\r\n");
        let answer = "";
        for await (const chunk of socket) answer += String(chunk);
        assert.match(answer, /hi$/);
        await node.remove("web");
      }),
  },
  {
    name: "a pod on the node's network has the node's addresses",
    run: (rig) =>
      onNode(rig, async (node) => {
        node.make("web", shell(waits), { hostNetwork: true });
        const { status } = await node.ready("web");
        assert.deepEqual(
          status?.podIPs?.map(({ ip }) => ip),
          rig.nodeAddresses,
        );
        assert.match(
          await node.exec("web", "hostname; head -1 /etc/hosts"),
          /^node-1\n# Kubernetes-managed hosts file \(host network\)\.\n/,
        );
      }),
  },
  {
    name: "volumes: shared, in memory with a limit, of a group, and files that change while the pod runs",
    run: (rig) =>
      onNode(rig, async (node) => {
        const map = { metadata: { name: "conf", namespace: "default" }, data: { color: "blue" } };
        node.cluster.create(configMaps, map);
        const volumes = [
          { name: "shared", emptyDir: {} },
          { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
          { name: "conf", configMap: { name: "conf" } },
          {
            name: "token",
            projected: { sources: [{ downwardAPI: { items: [{ path: "app", fieldRef: { fieldPath: "metadata.labels['app']" } }] } }] },
          },
        ];
        const volumeMounts = [
          { name: "shared", mountPath: "/shared" },
          { name: "memory", mountPath: "/memory" },
          { name: "conf", mountPath: "/etc/conf" },
          { name: "token", mountPath: "/etc/info", readOnly: true },
        ];
        const initContainers = [
          { name: "first", image: "busybox", command: ["sh", "-c", "echo from init > /shared/f; echo m > /memory/f"], volumeMounts },
        ];
        const securityContext = { fsGroup: 4321 };
        node.make("web", { ...shell(waits), volumeMounts }, { initContainers, volumes, securityContext });
        await node.ready("web");
        const seen = await node.exec(
          "web",
          "cat /shared/f /memory/f /etc/conf/color; echo; cat /etc/info/app; echo; stat -f -c %T /memory; stat -c %g /shared; id -G",
        );
        const [shared, memory, color, app, kind, group, groups = ""] = seen.split("\n");
        assert.deepEqual([shared, memory, color, app, kind], ["from init", "m", "blue", "web", "tmpfs"]);
        if (rig.traits.root) assert.deepEqual([group, groups.split(" ").includes("4321")], ["4321", true]);
        assert.match(await node.exec("web", "head -c 2000000 /dev/zero > /memory/big"), /No space left/);
        node.cluster.update(configMaps, { ...map, data: { color: "green" } });
        await until(async () => (await node.exec("web", "cat /etc/conf/color")) === "green");
      }),
  },
  {
    name: "a sandbox that cannot be made is told, and tried again until it can",
    run: (rig) =>
      onNode(rig, async (node) => {
        const ports = [{ containerPort: 80, hostPort: 8080 }];
        node.make("web", { ...shell(waits), ports });
        await node.ready("web");
        node.make("other", { ...shell(waits), ports });
        await until(() =>
          node.cluster.events.some(({ reason, message }) => reason === "FailedCreatePodSandBox" && message.includes("in use")),
        );
        await node.remove("web");
        await node.ready("other");
      }),
  },
  {
    name: "the name that a pod calls itself: its own, cut, with its domain, or none that would fit",
    run: (rig) =>
      onNode(rig, async (node) => {
        node.make("web", shell(waits), { hostname: "web-0", subdomain: "web", setHostnameAsFQDN: true });
        await node.ready("web");
        assert.equal(await node.exec("web", "hostname; echo $HOSTNAME"), "web-0.web.default.svc.cluster.local\n".repeat(2));
        node.make("other", shell(waits), { hostname: "x".repeat(50), subdomain: "web", setHostnameAsFQDN: true });
        await until(() =>
          node.cluster.events.some(({ reason, message }) => reason === "FailedCreatePodSandBox" && message.includes("too long (64")),
        );
      }),
  },
  {
    name: "a pod that writes more than it may is evicted, and says why",
    run: (rig) =>
      onNode(rig, async (node) => {
        const limits = { "ephemeral-storage": "5Mi" };
        node.make("big", { ...shell("head -c 10000000 /dev/zero > /f; sleep 1000"), resources: { limits } });
        const volumes = [{ name: "v", emptyDir: { sizeLimit: "1Mi" } }];
        const volumeMounts = [{ name: "v", mountPath: "/v" }];
        node.make("full", { ...shell("head -c 2000000 /dev/zero > /v/f; sleep 1000"), volumeMounts }, { volumes });
        for (const [name, what] of [
          ["big", "Pod ephemeral local storage usage exceeds"],
          ["full", 'Usage of EmptyDir volume "v" exceeds'],
        ] as const) {
          await until(() => node.get(name)?.status?.phase === "Failed");
          const { reason, message, conditions } = node.get(name)?.status ?? {};
          assert.equal(reason, "Evicted");
          assert.ok(message?.startsWith(what), message ?? "no message");
          assert.equal(conditions?.find(({ type }) => type === "DisruptionTarget")?.status, "True");
        }
      }),
  },
  {
    name: "a finished pod keeps its status and log, but not its network",
    run: (rig) =>
      onNode(rig, async (node) => {
        const ports = [{ containerPort: 80, hostPort: 8080 }];
        node.make("job", { ...shell("echo done"), ports }, { restartPolicy: "Never" });
        await node.succeeded("job");
        assert.equal(await node.log("job"), "done\n");
        node.make("other", { ...shell(waits), ports });
        await node.ready("other");
        assert.equal(node.get("job")?.status?.phase, "Succeeded");
      }),
  },
  {
    name: "init containers, a sidecar, an ephemeral container beside what runs",
    run: (rig) =>
      onNode(rig, async (node) => {
        const initContainers = [
          { name: "init", image: "busybox", command: ["true"] },
          { name: "side", image: "busybox", command: ["sh", "-c", waits], restartPolicy: "Always" },
        ];
        node.make("web", shell(waits), { initContainers });
        const pod = await node.ready("web");
        assert.deepEqual(
          pod.status?.initContainerStatuses?.map(({ ready }) => ready),
          [true, true],
        );
        const ephemeralContainers = [{ name: "look", image: "busybox", command: ["sh", "-c", "hostname; exit 3"] }];
        node.cluster.update(pods, { ...pod, spec: { ...pod.spec, containers: pod.spec?.containers ?? [], ephemeralContainers } });
        await until(() => node.get("web")?.status?.ephemeralContainerStatuses?.[0]?.state?.terminated?.exitCode === 3);
        await node.ready("web");
      }),
  },
  {
    name: "what the node may not do is said: a user that the pod forbids, fields without effect",
    run: (rig) =>
      onNode(rig, async (node) => {
        node.make("web", { ...shell(waits), securityContext: { runAsUser: 0, runAsNonRoot: true } });
        await until(() => node.get("web")?.status?.containerStatuses?.[0]?.state?.waiting?.reason === "CreateContainerConfigError");
        await node.remove("web");
        const securityContext = { sysctls: [{ name: "net.ipv4.ip_local_port_range", value: "40000 40001" }] };
        node.make("web", shell(waits), { securityContext });
        await node.ready("web");
        assert.match(await node.exec("web", "cat /proc/sys/net/ipv4/ip_local_port_range"), /^40000\s40001\n/);
        node.make("other", shell(waits), { hostIPC: true });
        await node.ready("other");
        assert.ok(node.cluster.events.some(({ reason, message }) => reason === "FieldsIgnored" && message.includes("spec.hostIPC")));
      }),
  },
];
