/** Two nodes with pods in namespaces of their own, each with its proxy in a kernel mode; Services and slices come from the test. */
import { createSocket } from "node:dgram";
import { createServer, type Socket } from "node:net";
import type { KubeObject } from "../../src/api/object.ts";
import type { EndpointSlice, Service, ServiceSpec } from "../../src/api/types.ts";
import type { EventHandlers, Informer, InformerFactory } from "../../src/client/informer.ts";
import { openConntrack } from "../../src/host/conntrack/conntrack.ts";
import { openIptables } from "../../src/host/iptables/iptables.ts";
import { createNamespaces } from "../../src/host/namespaces/create-namespaces.ts";
import type { Namespaces, NetworkNamespace, NodeNetwork, PodNetwork } from "../../src/host/namespaces/namespaces.ts";
import { adoptNetlink } from "../../src/host/netlink/socket.ts";
import { openNftables } from "../../src/host/nftables/nftables.ts";
import { loadLibc } from "../../src/host/syscalls/libc.ts";
import { realClock } from "../../src/lib/clock.ts";
import { errnoCode } from "../../src/lib/errors.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { MetricsRegistry } from "../../src/lib/metrics.ts";
import type { IpvsBackendKernelOptions } from "../../src/proxy/backends/ipvs/apply.ts";
import { openIpvsKernel } from "../../src/proxy/backends/ipvs/open.ts";
import { namespaceTransport } from "../../src/cmd/way-in-transport.ts";
import { bindUdp, listenTcp } from "../../src/net/listener.ts";
import { kernelRedirects } from "../../src/proxy/backends/userspace/redirects.ts";
import { createProxy, type Proxy } from "../../src/proxy/proxy.ts";
import type { ProxyOptions } from "../../src/proxy/proxy-options.ts";
import type { Transport } from "../../src/proxy/transport.ts";

export const serviceCIDRs = ["10.96.0.0/12", "fd00:10:96::/112"];
export const podCIDRs = ["10.244.0.0/16", "fd00:10:244::/56"];
export const tcpPort = 8080;
export const udpPort = 5353;

/** Why this machine cannot run the tests; empty: it can. */
export function unsupported(): string {
  if (process.getuid?.() !== 0) return "needs root, or: unshare -Urm --pid --fork --mount-proc -- npm test -- test/root";
  return loadLibc() === undefined ? "needs FFI (the koffi package) for netlink" : "";
}

/** An informer that the test feeds. */
class Feed<T extends KubeObject> {
  readonly #handlers: EventHandlers<T>[] = [];
  readonly #objects = new Map<string, T>();

  set(object: T): void {
    const name = object.metadata.name ?? "";
    const old = this.#objects.get(name);
    this.#objects.set(name, object);
    for (const handler of this.#handlers) {
      if (old === undefined) handler.added?.(object, false);
      else handler.updated?.(object, old);
    }
  }

  delete(name: string): void {
    const old = this.#objects.get(name);
    this.#objects.delete(name);
    if (old !== undefined) for (const handler of this.#handlers) handler.deleted?.(old);
  }

  informer(): Informer<T> {
    return {
      waitForSync: async () => {},
      addHandlers: (handlers: EventHandlers<T>) => {
        this.#handlers.push(handlers);
        for (const object of this.#objects.values()) handlers.added?.(object, true);
        return () => void this.#handlers.splice(this.#handlers.indexOf(handlers), 1);
      },
    } as unknown as Informer<T>;
  }
}

export interface RigPod {
  readonly name: string;
  readonly node: string;
  /** IPv4 first. */
  readonly addresses: readonly string[];
  readonly network: PodNetwork;
}

export interface Rig {
  readonly nodes: readonly NodeNetwork[];
  /** `a` and `b` on the first node, `c` on the second. Each answers `name client` on both ports. */
  readonly pods: Readonly<Record<"a" | "b" | "c", RigPod>>;
  /** A client outside of the cluster. */
  readonly outside: NetworkNamespace & { readonly addresses: readonly string[] };
  service(name: string, spec: Partial<ServiceSpec>, status?: Service["status"]): void;
  endpoints(name: string, pods: readonly RigPod[], options?: SliceOptions): void;
  remove(name: string): void;
  /** Every proxy has done what it has seen. */
  settled(): Promise<void>;
  /** Of each node, in order. */
  readonly proxies: readonly Proxy[];
  /** Ends every proxy and starts another in its place. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export type RigMode = "nftables" | "iptables" | "ipvs" | "userspace";

export interface SliceOptions {
  readonly protocol?: "TCP" | "UDP" | "SCTP";
  /** Default: the one on which every pod answers. */
  readonly port?: number;
  /** In place of one port without a name. */
  readonly ports?: NonNullable<EndpointSlice["ports"]>;
}

export async function startRig(mode: RigMode = "nftables", options: RigOptions = {}): Promise<Rig> {
  const closing: (() => unknown)[] = [];
  const namespaces = await createNamespaces();
  closing.push(() => namespaces.stop());
  const services = new Feed<Service>();
  const slices = new Feed<EndpointSlice>();
  const informers = {
    informer: ({ plural }: { plural: string }) => (plural === "services" ? services : slices).informer(),
  } as unknown as InformerFactory;
  const nodes = [await makeNode(namespaces, 1), await makeNode(namespaces, 2)] as const;
  const proxies: Proxy[] = [];
  const startProxies = async () => {
    for (const node of nodes) proxies.push(await startProxy(node, informers, mode, options));
  };
  const stopProxies = () => Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
  await startProxies();
  closing.push(stopProxies);
  const pods = {
    a: await makePod(nodes[0], "a", 2, closing),
    b: await makePod(nodes[0], "b", 3, closing),
    c: await makePod(nodes[1], "c", 2, closing),
  };
  return {
    nodes,
    pods,
    outside: namespaces.fabric,
    service: (name, spec, status) => services.set(serviceOf(name, spec, status)),
    endpoints(name, backends, options) {
      for (const family of [4, 6] as const) slices.set(sliceOf(name, family, backends, options));
    },
    remove(name) {
      services.delete(name);
      for (const family of [4, 6]) slices.delete(`${name}-${family}`);
    },
    settled: async () => void (await Promise.all(proxies.map((proxy) => proxy.settled()))),
    proxies,
    async restart() {
      await stopProxies();
      await startProxies();
      await Promise.all(proxies.map((proxy) => proxy.settled()));
    },
    stop: async () => {
      for (const close of closing.reverse()) await close();
    },
  };
}

function makeNode(namespaces: Namespaces, index: number): Promise<NodeNetwork> {
  return namespaces.createNode({ name: `node-${index}`, index, podCIDRs: [`10.244.${index}.0/24`, `fd00:10:244:${index}::/64`] });
}

export interface RigOptions {
  readonly ipvs?: Partial<Omit<IpvsBackendKernelOptions, "kernel" | "connect">>;
}

async function startProxy(node: NodeNetwork, informers: InformerFactory, mode: RigMode, options: RigOptions): Promise<Proxy> {
  const proxy = createProxy({
    informers,
    clock: realClock,
    log: silentLogger,
    metrics: new MetricsRegistry(),
    mode,
    node: { name: node.name, addresses: node.addresses, nodePortAddresses: node.addresses, clusterCIDRs: podCIDRs },
    ...(await carrierOf(node, mode, options)),
  });
  await proxy.start();
  return proxy;
}

async function carrierOf(node: NodeNetwork, mode: RigMode, { ipvs = {} }: RigOptions): Promise<Partial<ProxyOptions>> {
  const libc = loadLibc() as NonNullable<ReturnType<typeof loadLibc>>;
  const netlink = async (protocol: number) => adoptNetlink(libc, await node.netlink(protocol));
  const connect = (target: { readonly host: string; readonly port: number }) => node.connect(target);
  const programs = openIptables({ enter: ["nsenter", `--net=${node.path}`] });
  switch (mode) {
    case "nftables":
      return { kernel: { nftables: openNftables(await netlink(12)), conntrack: openConntrack(await netlink(12)), serviceCIDRs, connect } };
    case "iptables":
      return { iptables: { iptables: programs, conntrack: openConntrack(await netlink(12)), connect } };
    case "ipvs": {
      const setting = (name: string, value: string) => node.sysctl(name, value);
      const opened = await openIpvsKernel({ netlink, iptables: programs, setting, scheduler: ipvs.rules?.scheduler ?? "rr" });
      if (opened.kind === "unsupported") throw new Error(`ipvs: ${opened.why}`);
      return { ipvs: { ...ipvs, kernel: opened.kernel, connect } };
    }
    case "userspace":
      return {
        transport: nodeTransport(node),
        redirects: kernelRedirects(openNftables(await netlink(12)), node.addresses),
      };
  }
}

/** As the program by itself has it: everything from the node's own network. */
function nodeTransport(node: NodeNetwork): Transport {
  return {
    ...namespaceTransport({ node: () => node, fabric: node }),
    listen: async ({ host, port, onConnection }) => listenTcp({ host, port, onConnection, fd: (await node.listen(host, port)).fd }),
    bindUdp: async ({ host, port, onMessage }) => bindUdp({ host, port, onMessage, fd: (await node.bindUdp(host, port)).fd }),
  };
}

async function makePod(node: NodeNetwork, name: string, host: number, closing: (() => unknown)[]): Promise<RigPod> {
  const index = node.name.slice("node-".length);
  const addresses = [`10.244.${index}.${host}`, `fd00:10:244:${index}::${host}`];
  const network = await node.addPod({ id: name, addresses });
  for (const any of ["0.0.0.0", "::"]) {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end(`${name} ${socket.remoteAddress}`);
    }).listen({ fd: (await network.listen(any, tcpPort)).fd });
    const udp = createSocket(any === "::" ? "udp6" : "udp4");
    udp.on("message", (message, from) => udp.send(`${name} ${from.address} ${message}`, from.port, from.address));
    udp.bind({ fd: (await network.bindUdp(any, udpPort)).fd });
    closing.push(
      () => server.close(),
      () => udp.close(),
    );
  }
  return { name, node: node.name, addresses, network };
}

function serviceOf(name: string, spec: Partial<ServiceSpec>, status: Service["status"]): Service {
  return {
    metadata: { namespace: "default", name },
    spec: { type: "ClusterIP", ...spec, clusterIP: spec.clusterIPs?.[0] ?? "" } as ServiceSpec,
    ...(status === undefined ? {} : { status }),
  };
}

function sliceOf(
  name: string,
  family: 4 | 6,
  pods: readonly RigPod[],
  { protocol = "TCP", port, ports }: SliceOptions = {},
): EndpointSlice {
  return {
    metadata: { namespace: "default", name: `${name}-${family}`, labels: { "kubernetes.io/service-name": name } },
    addressType: family === 4 ? "IPv4" : "IPv6",
    endpoints: pods.map((pod) => ({
      addresses: [pod.addresses[family === 4 ? 0 : 1] as string],
      nodeName: pod.node,
      conditions: { ready: true },
    })),
    ports: ports ?? [{ name: "", port: port ?? (protocol === "UDP" ? udpPort : tcpPort), protocol }],
  };
}

/** `name client`, or the errno. */
export async function askTcp(from: NetworkNamespace, host: string, port: number, timeoutMs = 20_000): Promise<string> {
  let socket: Socket;
  try {
    socket = await from.connect({ host, port, timeoutMs });
  } catch (error) {
    return errnoCode(error) ?? String(error);
  }
  return await new Promise((resolve) => {
    let answer = "";
    socket.on("data", (chunk) => (answer += String(chunk)));
    socket.on("error", (error) => resolve(errnoCode(error) ?? String(error)));
    socket.on("end", () => {
      socket.end();
      resolve(answer);
    });
  });
}

/** A UDP client with one port. */
export async function udpClient(
  from: NetworkNamespace,
  address: string,
  port = 0,
): Promise<{ ask(host: string, port: number): Promise<string>; close(): void }> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  await new Promise<void>((ready, fail) => {
    socket.once("listening", ready).once("error", fail);
    from.bindUdp(address, port).then(({ fd }) => socket.bind({ fd }), fail);
  });
  let count = 0;
  return {
    async ask(host, to) {
      const text = `question-${++count}`;
      return await new Promise((resolve, reject) => {
        const listener = (message: Buffer) => {
          if (!String(message).endsWith(text)) return;
          clearInterval(again);
          socket.off("message", listener);
          resolve(String(message).slice(0, -text.length - 1));
        };
        socket.on("message", listener).once("error", reject);
        const send = () => socket.send(text, to, host);
        // A datagram may be lost while its flow is being forgotten.
        const again = setInterval(send, 1000);
        send();
      });
    },
    close: () => socket.close(),
  };
}

/** The errno that a connected UDP socket gets for its datagram. */
export async function refusedUdp(from: NetworkNamespace, address: string, host: string, port: number): Promise<string> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  const { fd } = await from.bindUdp(address, 0);
  await new Promise<void>((ready) => socket.bind({ fd }, ready));
  await new Promise<void>((ready) => socket.connect(port, host, ready));
  const code = await new Promise<string>((resolve) => {
    socket.once("error", (error) => resolve(errnoCode(error) ?? String(error)));
    // A refusal may be held back by the kernel's limit for ICMP: ask again.
    const again = setInterval(() => socket.send("hello"), 1000);
    socket.once("error", () => clearInterval(again));
    socket.send("hello");
  });
  socket.close();
  return code;
}
