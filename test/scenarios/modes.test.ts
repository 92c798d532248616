/**
 * One suite in every way that a machine may run a cluster. What a mode cannot do is listed by name, with the reason, and
 * shows as a skip.
 */
import { createServer } from "node:net";
import { createSocket } from "node:dgram";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KubernetesObjectApi, KubeConfig, CoreV1Api, DiscoveryV1Api, type V1Pod, type V1Service } from "@kubernetes/client-node";
import type { ClusterReport } from "../../src/cli/report.ts";
import { lineServer, podClient, type PodClient } from "../support/pod-client.ts";
import { eventually } from "../support/eventually.ts";
import type { Program } from "../support/program.ts";
import { iptablesWay, ways, type Way } from "../support/modes.ts";

const namespace = "lines";

const manifests = `
apiVersion: v1
kind: Namespace
metadata: { name: ${namespace} }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: lines, namespace: ${namespace} }
spec:
  replicas: 3
  selector: { matchLabels: { app: lines } }
  template:
    metadata: { labels: { app: lines } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: server
          image: node:26
          command: [node, -e, ${JSON.stringify(lineServer)}]
          readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: ${namespace} }
spec:
  containers: [{ name: client, image: node:26, command: [node, -e, "setInterval(() => {}, 1e9)"] }]
${["lines", "sticky", "outside", "balanced"].map(service).join("")}
---
apiVersion: v1
kind: Service
metadata: { name: empty, namespace: ${namespace} }
spec: { selector: { app: nobody }, ports: [{ port: 8000 }] }
---
apiVersion: v1
kind: Service
metadata: { name: elsewhere, namespace: ${namespace} }
spec: { ports: [{ port: 8000 }] }
`;

function service(name: string): string {
  const further: Readonly<Record<string, string>> = {
    lines: "",
    sticky: "sessionAffinity: ClientIP, sessionAffinityConfig: { clientIP: { timeoutSeconds: 2 } }, ",
    outside: "type: NodePort, ",
    balanced: "type: LoadBalancer, ",
  };
  return `
---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec: { ${further[name]}selector: { app: lines }, ports: [{ name: tcp, port: 8000, targetPort: 8080 }, { name: udp, protocol: UDP, port: 8001, targetPort: 8081 }] }`;
}

interface Setting {
  readonly program: Program;
  readonly report: ClusterReport;
  readonly core: CoreV1Api;
  readonly config: KubeConfig;
  readonly pods: PodClient;
}

interface Case {
  readonly name: string;
  /** Mode → why it cannot be so there. */
  readonly not?: Partial<Record<Way["mode"], string>>;
  run(setting: Setting): Promise<void>;
}

async function serviceOf({ core }: Setting, name: string): Promise<V1Service> {
  return await core.readNamespacedService({ name, namespace });
}

async function addressOf(setting: Setting, name: string): Promise<string> {
  return (await serviceOf(setting, name)).spec?.clusterIP ?? "";
}

async function servers({ core }: Setting): Promise<readonly V1Pod[]> {
  return (await core.listNamespacedPod({ namespace, labelSelector: "app=lines" })).items.filter(
    (pod) => pod.metadata?.deletionTimestamp === undefined,
  );
}

const names = (answers: readonly { readonly text?: string }[]) => answers.map(({ text = "" }) => text.split(" ")[0] as string);

/** What a client on the host gets. */
function fromHost(protocol: "tcp" | "udp", host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    if (protocol === "udp") {
      const socket = createSocket("udp4");
      const timer = setTimeout(() => (socket.close(), resolve("timeout")), 3000);
      socket.on("message", (text) => (clearTimeout(timer), socket.close(), resolve(text.toString())));
      socket.send("hello", port, host);
      return;
    }
    void import("node:net").then(({ connect }) => {
      let text = "";
      const socket = connect({ host, port });
      socket.setTimeout(1500, () => socket.destroy(Object.assign(new Error("timeout"), { code: "timeout" })));
      socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.on("close", () => resolve(text.trim()));
    });
  });
}

const cases: readonly Case[] = [
  {
    name: "the example answers by every Service and name",
    run: async ({ report }) => {
      expect(report.pods.filter(({ ready }) => !ready)).toEqual([]);
      expect(report.requests.length).toBeGreaterThan(0);
      for (const { sent, succeeded, errors } of report.requests) expect([succeeded, errors]).toEqual([sent, []]);
      expect(report.names.filter(({ rcode }) => rcode !== "NOERROR")).toEqual([]);
    },
  },
  {
    name: "pod → ClusterIP, TCP: every endpoint answers, and sees the pod's own address",
    run: async (setting) => {
      const answers = await setting.pods.ask(namespace, "client", {
        protocol: "tcp",
        host: await addressOf(setting, "lines"),
        port: 8000,
        count: 40,
      });
      const client = await setting.core.readNamespacedPod({ name: "client", namespace });
      expect(new Set(names(answers))).toEqual(new Set((await servers(setting)).map((pod) => pod.metadata?.name)));
      if (setting.report.mode === "namespaces") for (const { text = "" } of answers) expect(text.split(" ")[2]).toBe(client.status?.podIP);
    },
  },
  {
    name: "pod → ClusterIP, UDP",
    run: async (setting) => {
      const answers = await setting.pods.ask(namespace, "client", {
        protocol: "udp",
        host: await addressOf(setting, "lines"),
        port: 8001,
        count: 20,
      });
      expect(answers.flatMap(({ error }) => error ?? [])).toEqual([]);
      expect(new Set(names(answers)).size).toBeGreaterThan(1);
    },
  },
  {
    name: "pod → ClusterIP, IPv6",
    not: { loopback: "::1 is the only IPv6 address of a machine's loopback: Services are IPv4" },
    run: async (setting) => {
      await setting.core.createNamespacedService({
        namespace,
        body: {
          metadata: { name: "six" },
          spec: {
            selector: { app: "lines" },
            ipFamilyPolicy: "SingleStack",
            ipFamilies: ["IPv6"],
            ports: [
              { name: "tcp", port: 8000, targetPort: 8080 },
              { name: "udp", protocol: "UDP", port: 8001, targetPort: 8081 },
            ],
          },
        },
      });
      const host = await addressOf(setting, "six");
      expect(host).toContain(":");
      const ask = () =>
        setting.pods.ask(
          namespace,
          "client",
          { protocol: "tcp", host, port: 8000, count: 20 },
          { protocol: "udp", host, port: 8001, count: 10 },
        );
      const answers = await eventually(ask, (all) => all.every(({ error }) => error === undefined));
      expect(answers.flatMap(({ error }) => error ?? [])).toEqual([]);
      expect(new Set(names(answers)).size).toBe(3);
    },
  },
  {
    name: "node → ClusterIP",
    run: async (setting) => {
      await setting.core.createNamespacedPod({
        namespace,
        body: {
          metadata: { name: "on-the-node" },
          spec: {
            hostNetwork: true,
            containers: [{ name: "client", image: "node:26", command: ["node", "-e", "setInterval(() => {}, 1e9)"] }],
          },
        },
      });
      await untilRunning(setting, "on-the-node");
      const answers = await setting.pods.ask(namespace, "on-the-node", {
        protocol: "tcp",
        host: await addressOf(setting, "lines"),
        port: 8000,
        count: 10,
      });
      expect(answers.flatMap(({ error }) => error ?? [])).toEqual([]);
    },
  },
  {
    name: "hairpin: a pod reaches itself through its own Service",
    run: async (setting) => {
      const [pod] = await servers(setting);
      const name = pod?.metadata?.name ?? "";
      const answers = await setting.pods.ask(namespace, name, {
        protocol: "tcp",
        host: await addressOf(setting, "lines"),
        port: 8000,
        count: 40,
      });
      expect(answers.flatMap(({ error }) => error ?? [])).toEqual([]);
      expect(names(answers)).toContain(name);
    },
  },
  {
    name: "names: by search path, across namespaces, and of the outside",
    not: { loopback: "pods share the machine's resolver; cluster names are reached through HTTP_PROXY and ALL_PROXY" },
    run: async (setting) => {
      const wanted = await addressOf(setting, "lines");
      const lookup = (host: string) => ({ protocol: "lookup" as const, host, port: 0 });
      const answers = await setting.pods.ask(
        namespace,
        "client",
        lookup("lines"),
        lookup(`lines.${namespace}`),
        lookup(`lines.${namespace}.svc.cluster.local`),
        lookup("nothing.of.this.name"),
      );
      expect(answers.map(({ text, error }) => text ?? error)).toEqual([wanted, wanted, wanted, "ENOTFOUND"]);
    },
  },
  {
    name: "affinity: sticky, chosen anew when its endpoint leaves, forgotten after its time",
    run: async (setting) => {
      const host = await addressOf(setting, "sticky");
      const ask = async (count: number) => names(await setting.pods.ask(namespace, "client", { protocol: "tcp", host, port: 8000, count }));
      const first = new Set(await ask(10));
      expect(first.size).toBe(1);
      const [chosen = ""] = first;
      await setting.core.deleteNamespacedPod({ name: chosen, namespace, gracePeriodSeconds: 0 });
      const slices = setting.config.makeApiClient(DiscoveryV1Api);
      const listed = async () =>
        (await slices.listNamespacedEndpointSlice({ namespace, labelSelector: "kubernetes.io/service-name=sticky" })).items.flatMap(
          ({ endpoints }) =>
            (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false).map(({ targetRef }) => targetRef?.name ?? ""),
        );
      await eventually(listed, (all) => !all.includes(chosen) && all.length >= 3);
      const second = new Set(await ask(10));
      expect(second.size).toBe(1);
      expect(second).not.toContain(chosen);
      const seen = new Set<string>();
      for (let round = 0; round < 12 && seen.size < 2; round++) {
        await new Promise((resolve) => setTimeout(resolve, 2500));
        for (const name of await ask(1)) seen.add(name);
      }
      expect(seen.size).toBeGreaterThan(1);
    },
  },
  {
    name: "no endpoints, and a port that the Service has not: refused at once",
    run: async (setting) => {
      const answers = await setting.pods.ask(
        namespace,
        "client",
        { protocol: "tcp", host: await addressOf(setting, "empty"), port: 8000 },
        { protocol: "tcp", host: await addressOf(setting, "lines"), port: 9999 },
      );
      expect(answers.map(({ error }) => error)).toEqual(["ECONNREFUSED", "ECONNREFUSED"]);
      for (const { milliseconds } of answers) expect(milliseconds).toBeLessThan(1000);
    },
  },
  {
    name: "NodePort on every node, from the host, TCP and UDP",
    run: async (setting) => {
      const ports = (await serviceOf(setting, "outside")).spec?.ports ?? [];
      const [tcp = 0, udp = 0] = ports.map(({ nodePort }) => nodePort ?? 0);
      const nodes = (await setting.core.listNode()).items;
      const wanted = setting.report.mode === "namespaces" ? "ExternalIP" : "InternalIP";
      for (const node of nodes) {
        const address = node.status?.addresses?.find(({ type }) => type === wanted)?.address ?? "";
        expect(await fromHost("tcp", address, tcp)).toMatch(/^lines-/);
        expect(await fromHost("udp", address, udp)).toMatch(/^lines-.* hello$/);
      }
    },
  },
  {
    name: "NodePort on every node, from a pod",
    not: { loopback: "the only node is 127.0.0.1" },
    run: async (setting) => {
      const port = (await serviceOf(setting, "outside")).spec?.ports?.[0]?.nodePort ?? 0;
      const nodes = (await setting.core.listNode()).items.flatMap(
        ({ status }) => status?.addresses?.find(({ type }) => type === "InternalIP")?.address ?? [],
      );
      expect(nodes.length).toBe(3);
      const answers = await setting.pods.ask(namespace, "client", ...nodes.map((host) => ({ protocol: "tcp" as const, host, port })));
      expect(answers.map(({ error }) => error)).toEqual(nodes.map(() => undefined));
    },
  },
  {
    name: "LoadBalancer from the host, TCP and UDP",
    run: async (setting) => {
      const look = async () => (await serviceOf(setting, "balanced")).status?.loadBalancer?.ingress?.[0]?.ip ?? "";
      const address = await eventually(look, (ip) => ip !== "");
      expect(address).toMatch(/^127\./);
      expect(await fromHost("tcp", address, 8000)).toMatch(/^lines-/);
      expect(await fromHost("udp", address, 8001)).toMatch(/^lines-.* hello$/);
    },
  },
  {
    name: "the ClusterIP fails from the host",
    not: { loopback: "a Service's address is one of the host's own: it answers there, which is what the report says to open" },
    run: async (setting) => {
      expect(await fromHost("tcp", await addressOf(setting, "lines"), 8000)).not.toMatch(/^lines-/);
    },
  },
  {
    name: "a Service without selector answers from a server on the host",
    run: async (setting) => {
      const server = createServer((socket) => socket.end("from the host\n"));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      try {
        const { port } = server.address() as { port: number };
        const address = setting.report.mode === "namespaces" ? "10.250.0.254" : "127.0.0.1";
        const objects = KubernetesObjectApi.makeApiClient(setting.config);
        await objects.create({
          apiVersion: "v1",
          kind: "Endpoints",
          metadata: { name: "elsewhere", namespace },
          subsets: [{ addresses: [{ ip: address }], ports: [{ port }] }],
        } as never);
        const host = await addressOf(setting, "elsewhere");
        const ask = () => setting.pods.ask(namespace, "client", { protocol: "tcp", host, port: 8000 });
        const [answer] = await eventually(ask, ([one]) => one?.error === undefined);
        expect(answer).toMatchObject({ text: "from the host" });
      } finally {
        server.close();
      }
    },
  },
  {
    name: "fairlead run: a local command in the cluster's network",
    not: { loopback: "the command shares the machine's resolver; it gets the forward proxy in its environment" },
    run: async ({ program }) => {
      const { code, stdout, stderr } = await program.run("run", "--name", "modes", "-n", namespace, "--", "node", "-e", runScript);
      expect([code, stdout.trim().split(" ")[0], stderr]).toEqual([0, expect.stringMatching(/^lines-/), expect.anything()]);
    },
  },
];

const runScript = `require("node:net").connect({ host: "lines", port: 8000 }).pipe(process.stdout)`;

async function untilRunning({ core }: Setting, name: string): Promise<void> {
  const ready = await eventually(
    async () => (await core.readNamespacedPod({ name, namespace })).status?.containerStatuses?.[0]?.state?.running,
    (running) => running !== undefined,
  );
  expect(ready).toBeDefined();
}

for (const way of [...ways, iptablesWay]) {
  describe(way.name, () => {
    let setting: Setting;
    let opened: Program | undefined;

    beforeAll(async () => {
      if (way.missing !== undefined) return;
      opened = way.open();
      const files = join(opened.home, "lines.yaml");
      writeFileSync(files, manifests, { mode: 0o644 });
      const nodes = way.mode === "namespaces" ? ["--nodes", "3", ...(way.flags ?? [])] : [];
      const up = await opened.run(
        "up",
        "--detach",
        "--name",
        "modes",
        "--mode",
        way.mode,
        ...nodes,
        "--api-port",
        "0",
        "-o",
        "json",
        "-f",
        join(opened.root, "examples/webapp"),
        "-f",
        files,
      );
      if (up.code !== 0) throw new Error(`up failed: ${up.stderr}`);
      const report = JSON.parse(up.stdout) as ClusterReport;
      const config = new KubeConfig();
      config.loadFromString(readFileSync(report.kubeconfig, "utf8"));
      setting = { program: opened, report, config, core: config.makeApiClient(CoreV1Api), pods: podClient(report.kubeconfig) };
    }, 120_000);

    afterAll(async () => {
      if (opened === undefined) return;
      const down = await opened.run("down", "--name", "modes");
      way.discard(opened);
      expect(down.code).toBe(0);
    }, 60_000);

    for (const { name, not = {}, run } of cases) {
      test(name, { timeout: 90_000 }, async (context) => {
        if (way.missing !== undefined) return context.skip(way.missing);
        const reason = not[way.mode];
        if (reason !== undefined) return context.skip(`${way.mode} mode: ${reason}`);
        await run(setting);
      });
    }
  });
}
