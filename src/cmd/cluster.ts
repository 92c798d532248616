/**
 * Composes a whole cluster in one process. The stages follow the flow: storage and API server, client, controllers, DNS,
 * proxy, node. Whoever calls `createCluster` owns what it returns and must `stop` it; a failed start leaves nothing behind.
 */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Duplex } from "node:stream";
import type { NodeAgent } from "../api/node-agent.ts";
import { kinds } from "../api/kinds/index.ts";
import { createApiServer, type ApiServer } from "../apiserver/server.ts";
import type { ClusterPaths } from "../cli/paths.ts";
import { kubernetesVersion, version } from "../cli/version.ts";
import type { Client } from "../client/client.ts";
import { createEventRecorder } from "../client/event-recorder-impl.ts";
import type { EventRecorder } from "../client/event-recorder.ts";
import { inProcessTransport } from "../client/in-process.ts";
import { createInformerFactory } from "../client/informer-factory.ts";
import type { InformerFactory } from "../client/informer.ts";
import { writeKubeconfig } from "../client/kubeconfig-file.ts";
import { createClient } from "../client/rest.ts";
import { Manager } from "../component/manager.ts";
import { controllers } from "../controllers/index.ts";
import type { Clock } from "../lib/clock.ts";
import { FairleadError } from "../lib/errors.ts";
import { cidrAddress, formatIp, parseCidr, parseIp } from "../lib/ip.ts";
import type { Logger } from "../lib/log.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { createKubelet, type Kubelet } from "../kubelet/kubelet.ts";
import type { FunctionHandler } from "../kubelet/runtime/function/function-runtime.ts";
import type { Runtime } from "../kubelet/runtime/runtime.ts";
import { createProxy, type Proxy } from "../proxy/proxy.ts";
import { createClusterDns, type ClusterDns, type DnsQueryResult } from "./cluster-dns.ts";
import { claimLoopbackNetwork, type LoopbackNetwork } from "./loopback-network.ts";
import { createPodGateway, type PodGateway } from "./pod-gateway.ts";
import { withRuntimeWarnings } from "./runtime-warnings.ts";
import { readSlot, writeSlot } from "./slot-file.ts";

export type PodFunction = FunctionHandler;
export type { FunctionContext as PodFunctionContext } from "../kubelet/runtime/function/function-runtime.ts";

export interface ClusterOptions {
  readonly name: string;
  readonly paths: ClusterPaths;
  readonly clock: Clock;
  readonly log: Logger;
  readonly runtime: { readonly kind: "process" } | { readonly kind: "function"; readonly functions: Readonly<Record<string, PodFunction>> };
  /** Default `sqlite`, in `paths.store`. */
  readonly storage?: "sqlite" | "memory";
  /** Default true: the API listens at once. Otherwise from the first call of `listen` on. */
  readonly listen?: boolean;
  /** Of the API, on 127.0.0.1; 0: any. A fixed one that is taken gives way to any. */
  readonly apiPort: number;
  readonly serviceClusterIPRange?: string;
  readonly serviceNodePortRange?: string;
  readonly podNetworkCIDR?: string;
  readonly clusterDNS?: string;
  readonly clusterDomain?: string;
  /** Names of controllers, or `dns`, `proxy`, `forward-proxy`, `kubelet`. */
  readonly disable: readonly string[];
  /** In-process clients exchange bytes instead of objects. */
  readonly encode?: boolean;
}

export interface Cluster {
  readonly mode: string;
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly nodeAgent: NodeAgent;
  /** `https://127.0.0.1:6443`; "" until it listens. */
  readonly server: string;
  readonly kubeconfig: string;
  readonly clusterDomain: string;
  /** The built-in DNS server; port 0: there is none. */
  readonly dnsServer: { readonly host: string; readonly port: number };
  /** Whether the proxy serves this virtual address. */
  isBound(address: string, port: number): boolean;
  /** What this mode cannot do for what was asked, as sentences. */
  limits(): readonly string[];
  /** Listens if it does not yet; gives the path of the kubeconfig. */
  listen(): Promise<string>;
  /** A connection as a client in namespace `default` gets it: `web`, `web.shop`, or an address. */
  connect(host: string, port: number): Promise<Duplex>;
  query(name: string, type: string): Promise<DnsQueryResult>;
  /** Every change seen so far is live in the proxy. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

const parts = ["dns", "proxy", "forward-proxy", "kubelet"];
/** Their low ports need no word: pods reach both by other ways, and the DNS server says itself where it listens. */
const systemServices = new Set(["kube-system/kube-dns", "default/kubernetes"]);
const nodeName = "node-1";
const nodeAddress = "127.0.0.1";

export async function createCluster(options: ClusterOptions): Promise<Cluster> {
  refuseUnknownParts(options.disable);
  const manager = new Manager({ log: options.log });
  const claimed = await claimLoopbackNetwork(readSlot(options.paths.root));
  try {
    return await compose(options, manager, claimed.network, async () => {
      await manager.stop();
      await claimed.release();
    });
  } catch (error) {
    await manager.stop();
    await claimed.release();
    throw error;
  }
}

function refuseUnknownParts(disable: readonly string[]): void {
  const known = [...parts, ...controllers.map(({ name }) => name)];
  const unknown = disable.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new FairleadError("FL_USAGE", `--disable ${unknown.join(",")}: no such part`, { hint: `Parts: ${known.join(", ")}` });
}

interface Plan {
  readonly serviceCIDR: string;
  readonly podCIDR: string;
  readonly clusterDNS: string;
  readonly clusterDomain: string;
}

function planOf(options: ClusterOptions, network: LoopbackNetwork): Plan {
  const serviceCIDR = options.serviceClusterIPRange ?? network.serviceCIDR;
  const range = parseCidr(serviceCIDR.split(",")[0] as string);
  if (range === undefined) throw new FairleadError("FL_USAGE", `${serviceCIDR} is no address range`);
  const clusterDNS = options.clusterDNS ?? formatIp(cidrAddress(range, 10));
  if (parseIp(clusterDNS) === undefined) throw new FairleadError("FL_USAGE", `--cluster-dns ${clusterDNS}: no IP address`);
  return {
    serviceCIDR,
    podCIDR: options.podNetworkCIDR ?? network.podCIDR,
    clusterDNS,
    clusterDomain: options.clusterDomain ?? "cluster.local",
  };
}

async function compose(
  options: ClusterOptions,
  manager: Manager,
  network: LoopbackNetwork,
  release: () => Promise<void>,
): Promise<Cluster> {
  const { clock, log, paths, disable } = options;
  const metrics = new MetricsRegistry();
  const plan = planOf(options, network);
  const wants = (part: string) => !disable.includes(part);
  let kubelet: Kubelet | undefined;
  writeSlot(paths.root, network.slot);

  const listens = options.listen ?? true;
  const runtime = wants("kubelet") ? await runtimeOf(options) : undefined;

  // 1. API server: everything else is its client.
  const server = createApiServer({
    backend: await backendOf(options),
    kinds: runtime === undefined ? kinds : withRuntimeWarnings(kinds, (pod) => runtime.ignoredFields(pod)),
    serviceClusterIPRanges: plan.serviceCIDR.split(","),
    serviceNodePortRange: options.serviceNodePortRange ?? "30000-32767",
    host: "127.0.0.1",
    port: options.apiPort,
    pkiDirectory: paths.pki,
    certificatesAtStart: listens,
    allowLoopbackEndpoints: true,
    nodeAgent: (name) => (name === nodeName ? kubelet : undefined),
    version: { git: `v${kubernetesVersion}+fairlead.${version}`, major: "1", minor: kubernetesVersion.split(".")[1] as string },
    clock,
    log,
    metrics,
  });
  await manager.start(server);
  // Clients may come while the rest starts.
  const listening = listens ? server.listen() : undefined;
  listening?.catch(() => undefined); // told below, where it is awaited

  // 2. The one way to it, by the identity of each part.
  const clientOf = (user: string, groups: readonly string[] = []) =>
    createClient(
      inProcessTransport(server, { name: user, groups: ["system:authenticated", ...groups] }, { encode: options.encode ?? false }),
      { fieldManager: user.replace(/^system:/, "") },
    );
  const client = clientOf("kubernetes-admin", ["system:masters"]);
  const informers = createInformerFactory(client, { clock, log });
  const recorder = (component: string): EventRecorder => createEventRecorder(client, component, { clock, log, host: nodeName });
  await manager.start({ name: "informers", start: async () => {}, stop: () => informers.stop(), ready: () => ({ ready: true }) });

  // 3. Controllers.
  const context = {
    client: clientOf("system:kube-controller-manager"),
    informers,
    recorder,
    clock,
    log,
    metrics,
    random: Math.random,
    options: server.certificateAuthority === undefined ? {} : { rootCA: server.certificateAuthority },
  };
  for (const { name, create } of controllers) if (wants(name)) await manager.start(create(context));

  // 4. DNS.
  const dns: ClusterDns | undefined = wants("dns")
    ? createClusterDns({
        client,
        informers,
        recorder: recorder("coredns"),
        clock,
        log,
        metrics,
        host: network.dnsAddress,
        clusterIP: plan.clusterDNS,
        clusterDomain: plan.clusterDomain,
      })
    : undefined;
  if (dns !== undefined) await manager.start(dns);

  // 5. Proxy, and the way in for pods and for this process.
  const proxy: Proxy | undefined = wants("proxy")
    ? createProxy({
        informers,
        clock,
        log,
        metrics,
        recorder: recorder("kube-proxy"),
        node: { name: nodeName, labels: {}, addresses: [nodeAddress], nodePortAddresses: [nodeAddress], clusterCIDRs: [plan.podCIDR] },
      })
    : undefined;
  if (proxy !== undefined) await manager.start(proxy);
  const gateway: PodGateway | undefined =
    proxy !== undefined
      ? createPodGateway({
          proxy,
          dns,
          serviceCIDRs: plan.serviceCIDR.split(","),
          clusterDomain: plan.clusterDomain,
          host: network.proxyAddress,
          secret: randomBytes(16).toString("hex"),
          clock,
          log,
          listen: wants("forward-proxy"),
        })
      : undefined;
  if (gateway !== undefined) await manager.start(gateway);

  // 6. The node.
  if (runtime !== undefined) {
    kubelet = createKubelet({
      nodeName,
      nodeAddresses: [
        { type: "InternalIP", address: nodeAddress },
        { type: "Hostname", address: hostname() },
      ],
      podCIDR: plan.podCIDR,
      client: clientOf(`system:node:${nodeName}`, ["system:nodes"]),
      informers,
      recorder: recorder("kubelet"),
      runtime,
      dataDir: paths.pods,
      version: `v${kubernetesVersion}`,
      podEnvironment: (pod, podIP) =>
        gateway?.environment({ namespace: pod.metadata.namespace ?? "", name: pod.metadata.name ?? "", ip: podIP }) ?? {},
      clock,
      log,
      metrics,
    });
    await manager.start(kubelet);
  }
  informers.start();
  await informers.waitForSync();
  return new RunningCluster({ options, plan, server, client, informers, kubelet, dns, proxy, gateway, release }).listening(listening);
}

async function backendOf({ storage = "sqlite", paths, log }: ClusterOptions) {
  if (storage === "memory") return (await import("../storage/memory/memory-backend.ts")).createMemoryBackend();
  return (await import("../storage/sqlite/sqlite-backend.ts")).createSqliteBackend({ directory: paths.store, log });
}

async function runtimeOf({ runtime, paths, log }: ClusterOptions): Promise<Runtime> {
  if (runtime.kind === "function") {
    const { createFunctionRuntime } = await import("../kubelet/runtime/function/function-runtime.ts");
    return createFunctionRuntime({ handlers: runtime.functions, version });
  }
  const [{ createProcessRuntime }, { builtInImages }] = await Promise.all([
    import("../kubelet/runtime/process/process-runtime.ts"),
    import("./images.ts"),
  ]);
  return createProcessRuntime({ directory: `${paths.pods}/pods`, images: builtInImages(), version, log });
}

interface Composed {
  readonly options: ClusterOptions;
  readonly plan: Plan;
  readonly server: ApiServer;
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly kubelet: Kubelet | undefined;
  readonly dns: ClusterDns | undefined;
  readonly proxy: Proxy | undefined;
  readonly gateway: PodGateway | undefined;
  readonly release: () => Promise<void>;
}

class RunningCluster implements Cluster {
  readonly mode = "loopback";
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly clusterDomain: string;
  readonly kubeconfig: string;
  readonly #parts: Composed;
  #server = "";
  #begun: Promise<unknown> | undefined;

  constructor(composed: Composed) {
    this.#parts = composed;
    this.client = composed.client;
    this.informers = composed.informers;
    this.clusterDomain = composed.plan.clusterDomain;
    this.kubeconfig = composed.options.paths.kubeconfig;
  }

  /** `begun`: the listener that was opened at the start. */
  async listening(begun: Promise<unknown> | undefined): Promise<this> {
    this.#begun = begun;
    if (begun !== undefined) await this.listen();
    return this;
  }

  get server(): string {
    return this.#server;
  }

  get nodeAgent(): NodeAgent {
    if (this.#parts.kubelet === undefined)
      throw new FairleadError("FL_UNSUPPORTED", "this cluster runs without a node (--disable kubelet)");
    return this.#parts.kubelet;
  }

  get dnsServer(): { readonly host: string; readonly port: number } {
    return this.#parts.dns?.address ?? { host: "", port: 0 };
  }

  async listen(): Promise<string> {
    if (this.#server === "") {
      const { server, options } = this.#parts;
      await (this.#begun ??= server.listen());
      const { host, port } = server.address();
      this.#server = `https://${host}:${port}`;
      await writeKubeconfig(this.kubeconfig, await server.adminKubeconfig(`fairlead-${options.name}`));
    }
    return this.kubeconfig;
  }

  isBound(address: string, port: number): boolean {
    const { proxy } = this.#parts;
    return proxy !== undefined && !proxy.status().problems.some((problem) => problem.address === address && problem.port === port);
  }

  limits(): readonly string[] {
    const { proxy, dns, plan } = this.#parts;
    const unbound = (proxy?.status().problems ?? []).filter(
      ({ service, severity }) => severity === "warning" && !systemServices.has(service),
    );
    const outside = plan.serviceCIDR.startsWith("127.")
      ? []
      : [
          `Services have addresses in ${plan.serviceCIDR}, which this machine does not have: in loopback mode only pods reach them, through HTTP_PROXY and ALL_PROXY`,
        ];
    return [...outside, ...unbound.map(({ service, message }) => `Service ${service}: ${message}`), ...(dns?.limits() ?? [])];
  }

  async connect(host: string, port: number): Promise<Duplex> {
    const { gateway } = this.#parts;
    if (gateway === undefined) throw new FairleadError("FL_UNSUPPORTED", "this cluster runs without proxy or DNS");
    return await gateway.connect(host, port);
  }

  async query(name: string, type: string): Promise<DnsQueryResult> {
    const { dns } = this.#parts;
    if (dns === undefined) throw new FairleadError("FL_UNSUPPORTED", "this cluster runs without DNS");
    return await dns.query(name, type);
  }

  async settled(): Promise<void> {
    await this.#parts.proxy?.settled();
  }

  stop(): Promise<void> {
    return this.#parts.release();
  }
}
