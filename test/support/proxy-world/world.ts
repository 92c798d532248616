/**
 * A node, its pods and a client in network namespaces, an API server, and a proxy as a program of its own on that node. To be run
 * by `unshare --net`: the caller's namespace becomes the node's.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { endpointSlices, services } from "../../../src/api/resources.ts";
import type { EndpointSlice } from "../../../src/api/types.ts";
import { startBareApi, type BareApi } from "../bare-api.ts";

export const nodeIP = "10.250.0.1";
export const serviceIP = "10.96.0.10";
const clientIP = "10.244.2.9";
export const podIPs = Array.from({ length: 10 }, (_, i) => `10.244.1.${i + 10}`);

function ip(...words: string[]): void {
  const done = spawnSync("ip", words, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`ip ${words.join(" ")}: ${done.stderr || done.error?.message}`);
}

/** A program in a network namespace of its own, spoken to by lines. */
export class Program {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #wake: () => void = () => {};

  constructor(script: string) {
    this.#child = spawn("unshare", ["--net", "--", process.execPath, join(import.meta.dirname, script)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines: Interface = createInterface({ input: this.#child.stdout as NonNullable<ChildProcess["stdout"]> });
    lines.on("line", (line) => {
      this.#lines.push(line);
      this.#wake();
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  async next(): Promise<string> {
    while (this.#lines.length === 0) await new Promise<void>((wake) => (this.#wake = wake));
    return this.#lines.shift() as string;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** Until a child of ours has left our network namespace. */
async function untilApart(pid: number): Promise<void> {
  const namespace = (of: number | "self") => spawnSync("readlink", [`/proc/${of}/ns/net`], { encoding: "utf8" }).stdout;
  while (namespace(pid) === namespace("self")) await new Promise((next) => setImmediate(next));
}

export interface World {
  readonly api: BareApi;
  readonly pods: Program;
  readonly clients: Program;
  /** Writes the Service's slice: who is ready, and who is on the way out but serves. */
  endpoints(ready: readonly string[], leaving?: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

export async function createWorld(): Promise<World> {
  ip("link", "set", "lo", "up");
  ip("address", "add", `${nodeIP}/32`, "dev", "lo");
  spawnSync("sysctl", ["-qw", "net.ipv4.ip_forward=1"]);
  const pods = new Program("pods.ts");
  const clients = new Program("clients.ts");
  await join_(pods.pid, "pods", "10.244.1.1", podIPs);
  await join_(clients.pid, "client", "10.244.2.1", [clientIP]);
  for (const pod of podIPs) {
    pods.say(`open ${pod}`);
    await pods.next();
  }
  const api = await startBareApi({
    serviceRange: "10.96.0.0/12",
    node: { name: "node-1", addresses: [nodeIP], podCIDRs: ["10.244.1.0/24"] },
  });
  await api.client.create(services, {
    metadata: { namespace: "default", name: "web" },
    spec: {
      clusterIP: serviceIP,
      clusterIPs: [serviceIP],
      ports: [
        { name: "tcp", port: 80, protocol: "TCP", targetPort: 8080 },
        { name: "udp", port: 53, protocol: "UDP", targetPort: 5353 },
      ],
    },
  });
  let written = await api.client.create(endpointSlices, sliceOf(podIPs.slice(0, 5), []));
  return {
    api,
    pods,
    clients,
    async endpoints(ready, leaving = []) {
      written = await api.client.update(endpointSlices, { ...written, endpoints: sliceOf(ready, leaving).endpoints ?? [] });
    },
    async stop() {
      pods.kill();
      clients.kill();
      await api.stop();
    },
  };
}

async function join_(pid: number, name: string, gateway: string, addresses: readonly string[]): Promise<void> {
  await untilApart(pid);
  const inside = (...words: string[]) => {
    const done = spawnSync("nsenter", [`--net=/proc/${pid}/ns/net`, "ip", ...words], { encoding: "utf8" });
    if (done.status !== 0) throw new Error(`${name}: ip ${words.join(" ")}: ${done.stderr}`);
  };
  ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", String(pid));
  ip("address", "add", `${gateway}/32`, "dev", name);
  ip("link", "set", name, "up");
  inside("link", "set", "lo", "up");
  for (const address of addresses) inside("address", "add", `${address}/32`, "dev", "eth0");
  inside("link", "set", "eth0", "up");
  inside("route", "add", gateway, "dev", "eth0");
  inside("route", "add", "default", "via", gateway, "src", addresses[0] as string);
  for (const address of addresses) ip("route", "add", address, "dev", name);
}

function sliceOf(ready: readonly string[], leaving: readonly string[]): EndpointSlice {
  const endpoint = (address: string, conditions: object) => ({ addresses: [address], nodeName: "node-1", conditions });
  return {
    metadata: { namespace: "default", name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    endpoints: [
      ...ready.map((address) => endpoint(address, { ready: true, serving: true, terminating: false })),
      ...leaving.map((address) => endpoint(address, { ready: false, serving: true, terminating: true })),
    ],
    ports: [
      { name: "tcp", port: 8080, protocol: "TCP" },
      { name: "udp", port: 5353, protocol: "UDP" },
    ],
  };
}

export interface ProxyProcess {
  readonly child: ChildProcess;
  /** Ends it and waits until it has. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** `peer`: the path of kube-proxy in place of ours. */
export function startProxy(kubeconfig: string, mode: string, peer?: string): ProxyProcess {
  const flags = [
    `--kubeconfig=${kubeconfig}`,
    `--proxy-mode=${mode}`,
    "--hostname-override=node-1",
    "--cluster-cidr=10.244.0.0/16",
    "--iptables-min-sync-period=0",
    "--iptables-sync-period=2s",
    "--conntrack-max-per-core=0",
    "--nodeport-addresses=primary",
    "--oom-score-adj=0",
  ];
  const main = join(import.meta.dirname, "../../../bin/fairlead");
  const quiet = process.env["PROXY_LOG"] === undefined ? "ignore" : "inherit";
  const child =
    peer === undefined
      ? spawn(main, ["proxy", ...flags], { stdio: ["ignore", "ignore", quiet] })
      : spawn(peer, flags, { stdio: ["ignore", "ignore", quiet] });
  const ended = new Promise<void>((done) => void child.once("exit", () => done()));
  return {
    child,
    async end(signal) {
      child.kill(signal);
      await ended;
    },
  };
}

/** When the proxy has done its first sync, by what it says of itself. */
export async function untilSynced(child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const text = await fetch("http://127.0.0.1:10249/metrics").then(
      (answer) => answer.text(),
      () => "",
    );
    if (/^kubeproxy_sync_proxy_rules_last_timestamp_seconds.* [1-9]/m.test(text)) return;
    await new Promise((next) => setTimeout(next, 20));
  }
  throw new Error(`the proxy has ended (${child.exitCode})`);
}
