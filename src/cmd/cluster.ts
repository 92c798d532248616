/**
 * Composes a whole cluster in one process. The stages follow the flow: network, API server and controllers, DNS, nodes.
 * Whoever calls `createCluster` owns what it returns and must `stop` it; a failed start leaves nothing behind.
 */
import type { AuditFiles } from "../apiserver/audit/options.ts";
import type { Duplex } from "node:stream";
import { kinds } from "../api/kinds/index.ts";
import type { NodeAgent } from "../api/node-agent.ts";
import type { ClusterPaths } from "../cli/paths.ts";
import type { Client } from "../client/client.ts";
import type { InformerFactory } from "../client/informer.ts";
import { writeKubeconfig } from "../client/kubeconfig-file.ts";
import { Manager } from "../component/manager.ts";
import { controllers } from "../controllers/index.ts";
import type { FunctionHandler } from "../kubelet/runtime/function/function-runtime.ts";
import type { Clock } from "../lib/clock.ts";
import { FairleadError } from "../lib/errors.ts";
import { cidrAddress, formatIp, parseCidr, parseIp } from "../lib/ip.ts";
import type { Logger } from "../lib/log.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { createClusterDns, type ClusterDns, type DnsQueryResult } from "./cluster-dns.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { createClusterGateway, type ClusterGateway } from "./cluster-gateway.ts";
import { createClusterGatewayApi, type ClusterGatewayApi } from "./cluster-gateway-api.ts";
import type { DebugPage } from "../apiserver/handler.ts";
import { startControlPlane, type ControlPlane } from "./control-plane.ts";
import { removeFormerNodes } from "./former-nodes.ts";
import { createNetwork } from "./network/index.ts";
import type { AddressPlan, ClusterMode, ClusterNetwork, KernelProxyMode, RunningNode } from "./network/network.ts";
import { createPowerWatch } from "./network/power.ts";
import { outOfService } from "./out-of-service.ts";
import { withRuntimeWarnings } from "./runtime-warnings.ts";

export type PodFunction = FunctionHandler;
export type { FunctionContext as PodFunctionContext } from "../kubelet/runtime/function/function-runtime.ts";
export type { ClusterMode } from "./network/network.ts";

/** What runs pods. Functions always live in this process, so their cluster is in loopback mode. */
export type ClusterRuntime =
  | { readonly kind: "process" }
  | { readonly kind: "function"; readonly functions: Readonly<Record<string, PodFunction>> };

export interface ClusterOptions {
  readonly name: string;
  readonly paths: ClusterPaths;
  readonly clock: Clock;
  readonly log: Logger;
  readonly runtime: ClusterRuntime;
  /** Default `loopback`. `namespaces` needs a process that was started for it. */
  readonly mode?: ClusterMode;
  /** Nodes and pods are on paper only: Running, Ready, and nowhere. `mode` and `runtime` have no effect. */
  readonly simulate?: boolean;
  /** How many nodes, `node-1` to `node-N`. Default 1. */
  readonly nodes?: number;
  /** Node name → its labels beside those that every node has. */
  readonly nodeLabels?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Of each node's IPv4 pod range; default 24. */
  readonly nodeCIDRMaskSize?: number;
  /** Of each node; default 110, as upstream's. */
  readonly maxPods?: number;
  /** Milliseconds without a sign of life after which a node counts as gone; default 50,000, as upstream's. Nodes give five signs in it. */
  readonly nodeMonitorGracePeriod?: number;
  /** What is written down about requests, and where. Default: nothing. */
  readonly audit?: AuditFiles;
  /** Of the nodes in namespaces mode; default nftables. */
  readonly proxyMode?: KernelProxyMode;
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
  /** Names of controllers, or `dns`, `proxy`, `forward-proxy`, `kubelet`, `gateway`. */
  readonly disable: readonly string[];
  /** In-process clients exchange bytes instead of objects. */
  readonly encode?: boolean;
  /** Something without which the cluster cannot go on has failed: whoever owns it should stop it. */
  readonly onFailure?: (error: Error) => void;
}

export interface Cluster {
  readonly mode: ClusterMode;
  readonly client: Client;
  readonly informers: InformerFactory;
  /** Of the node that runs a pod; throws FL_UNSUPPORTED where nodes have no kubelet. */
  nodeAgent(nodeName: string): NodeAgent;
  /** `https://127.0.0.1:6443`; "" until it listens. */
  readonly server: string;
  readonly kubeconfig: string;
  readonly clusterDomain: string;
  /** Undefined until there is an Ingress. */
  readonly gateway: Gateway | undefined;
  /** The built-in DNS server; port 0: there is none. */
  readonly dnsServer: { readonly host: string; readonly port: number };
  /** The port at which the host finds this virtual address: that port, a stand-in for it, or undefined when nothing listens. */
  listensAt(address: string, port: number): number | undefined;
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

const parts = ["dns", "proxy", "forward-proxy", "kubelet", "gateway"];

export async function createCluster(options: ClusterOptions): Promise<Cluster> {
  refuseUnknownParts(options.disable);
  const manager = new Manager({ log: options.log });
  const network = await createNetwork({
    ...options,
    wantsPods: !options.disable.includes("kubelet"),
    onFailure: (error) => {
      options.log.error("the nodes' namespaces are lost; the cluster cannot go on", { error: error.message });
      options.onFailure?.(error);
    },
  });
  const release = async () => {
    await manager.stop();
    await network.release();
  };
  try {
    return await compose(options, manager, network, release);
  } catch (error) {
    await release();
    throw error;
  }
}

function refuseUnknownParts(disable: readonly string[]): void {
  const known = [...parts, ...controllers.map(({ name }) => name)];
  const unknown = disable.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new FairleadError("FL_USAGE", `--disable ${unknown.join(",")}: no such part`, { hint: `Parts: ${known.join(", ")}` });
}

function planOf(options: ClusterOptions, { defaults }: ClusterNetwork): AddressPlan {
  const serviceCIDRs = options.serviceClusterIPRange?.split(",") ?? defaults.serviceCIDRs;
  const range = parseCidr(serviceCIDRs[0] as string);
  if (range === undefined) throw new FairleadError("FL_USAGE", `${serviceCIDRs[0]} is no address range`);
  const clusterDNS = options.clusterDNS ?? formatIp(cidrAddress(range, 10));
  if (parseIp(clusterDNS) === undefined) throw new FairleadError("FL_USAGE", `--cluster-dns ${clusterDNS}: no IP address`);
  return {
    serviceCIDRs,
    podCIDRs: options.podNetworkCIDR?.split(",") ?? defaults.podCIDRs,
    clusterDNS,
    clusterDomain: options.clusterDomain ?? "cluster.local",
  };
}

async function compose(options: ClusterOptions, manager: Manager, network: ClusterNetwork, release: () => Promise<void>): Promise<Cluster> {
  const { clock, log, paths, disable } = options;
  const metrics = new MetricsRegistry();
  const plan = planOf(options, network);
  const wants = (part: string) => !disable.includes(part);
  const nodes: RunningNode[] = [];

  // 1. API server and controllers: everything else is their client.
  const pages = new Map<string, DebugPage>();
  const control = await startControlPlane({
    pages,
    manager,
    network,
    plan,
    kinds: withRuntimeWarnings(kinds, (pod) => network.ignoredFields(pod)),
    storage: options.storage ?? "sqlite",
    paths,
    apiPort: options.apiPort,
    listens: options.listen ?? true,
    serviceNodePortRange: options.serviceNodePortRange ?? "30000-32767",
    encode: options.encode ?? false,
    ...(options.nodeMonitorGracePeriod === undefined ? {} : { nodeMonitorGracePeriod: options.nodeMonitorGracePeriod }),
    ...(options.audit === undefined ? {} : { audit: options.audit }),
    nodeAgent: (name) => nodes.find((node) => node.name === name)?.agent,
    wants,
    clock,
    log,
    metrics,
  });
  const { client, informers, recorder } = control;
  await removeFormerNodes(client, options.nodes ?? 1);
  await control.startControllers();

  // 2. DNS.
  const dns: ClusterDns | undefined = wants("dns")
    ? createClusterDns({
        client,
        informers,
        recorder: recorder("coredns"),
        clock,
        log,
        metrics,
        host: network.dns.host,
        ...(network.dns.sockets === undefined ? {} : { sockets: network.dns.sockets }),
        hosts: network.hosts,
        clusterIP: plan.clusterDNS,
        clusterDomain: plan.clusterDomain,
      })
    : undefined;
  if (dns !== undefined) {
    await manager.start(dns);
    pages.set("/debug/dns/top", () => dns.top());
    pages.set("/debug/dns/cache", (query) => ({ kept: dns.kept(query.get("name") ?? "", query.get("type") ?? "A") }));
  }

  // 3. Nodes: each with its proxy and kubelet.
  await network.openApi?.(control.server);
  const settled = async () => void (await Promise.all(nodes.map((node) => node.settled())));
  const leaves = outOfService({ informers, clock, settled });
  const shared = { plan, manager, informers, recorder, dns, paths, outOfService: leaves, wants, clock, log, metrics };
  await network.startShared?.(shared);
  const grace = options.nodeMonitorGracePeriod;
  for (let index = 1; index <= (options.nodes ?? 1); index++) {
    const name = `node-${index}`;
    nodes.push(
      await network.startNode(index, {
        ...shared,
        client: control.clientOf(`system:node:${name}`, ["system:nodes"]),
        labels: options.nodeLabels?.[name] ?? {},
        ...(options.maxPods === undefined ? {} : { maxPods: options.maxPods }),
        ...(grace === undefined ? {} : { heartbeatMs: Math.min(10_000, grace / 5) }),
        ...(options.proxyMode === undefined ? {} : { proxyMode: options.proxyMode }),
      }),
    );
  }
  await manager.start(createPowerWatch({ informers, recorder: recorder("fairlead-power"), log, nodes: () => nodes }));

  // 4. The edge.
  const gateway = wants("gateway")
    ? createClusterGateway({
        client: control.clientOf("system:serviceaccount:kube-system:fairlead-gateway", ["system:masters"]),
        informers,
        recorder: recorder("fairlead-gateway"),
        clock,
        log,
        metrics,
        anyPort: options.apiPort === 0,
        ...(options.storage === "memory" ? {} : { authorityDirectory: paths.pki }),
        ...(network.connectEndpoint === undefined ? {} : { connect: network.connectEndpoint }),
      })
    : undefined;
  if (gateway !== undefined) await manager.start(gateway);
  const gatewayApi = wants("gateway")
    ? createClusterGatewayApi({
        client: control.clientOf("system:serviceaccount:kube-system:fairlead-gateway", ["system:masters"]),
        informers,
        clock,
        log,
        metrics,
        cidr: network.gatewayCIDR,
        ...(network.connectEndpoint === undefined ? {} : { connect: network.connectEndpoint }),
        ...(network.udpTarget === undefined ? {} : { udpTarget: network.udpTarget }),
      })
    : undefined;
  if (gatewayApi !== undefined) await manager.start(gatewayApi);
  informers.start();
  await informers.waitForSync();
  return await new RunningCluster({ options, plan, network, control, dns, nodes, gateway, gatewayApi, release }).listening();
}

interface Composed {
  readonly options: ClusterOptions;
  readonly plan: AddressPlan;
  readonly network: ClusterNetwork;
  readonly control: ControlPlane;
  readonly dns: ClusterDns | undefined;
  readonly nodes: readonly RunningNode[];
  readonly gateway: ClusterGateway | undefined;
  readonly gatewayApi: ClusterGatewayApi | undefined;
  readonly release: () => Promise<void>;
}

class RunningCluster implements Cluster {
  readonly #parts: Composed;
  #server = "";
  #begun: Promise<unknown> | undefined;

  constructor(composed: Composed) {
    this.#parts = composed;
    this.#begun = composed.control.listening;
  }

  /** Waits for the listener that was opened at the start, if one was. */
  async listening(): Promise<this> {
    if (this.#begun !== undefined) await this.listen();
    return this;
  }

  get mode(): ClusterMode {
    return this.#parts.network.mode;
  }

  get client(): Client {
    return this.#parts.control.client;
  }

  get informers(): InformerFactory {
    return this.#parts.control.informers;
  }

  get clusterDomain(): string {
    return this.#parts.plan.clusterDomain;
  }

  get kubeconfig(): string {
    return this.#parts.options.paths.kubeconfig;
  }

  get server(): string {
    return this.#server;
  }

  nodeAgent(nodeName: string): NodeAgent {
    const agent = this.#parts.nodes.find(({ name }) => name === nodeName)?.agent;
    if (agent === undefined) throw new FairleadError("FL_UNSUPPORTED", `this cluster runs no pods on a node ${JSON.stringify(nodeName)}`);
    return agent;
  }

  get gateway(): Gateway | undefined {
    return this.#parts.gateway?.gateway;
  }

  get dnsServer(): { readonly host: string; readonly port: number } {
    return this.#parts.dns?.address ?? { host: "", port: 0 };
  }

  async listen(): Promise<string> {
    if (this.#server === "") {
      const { control, options } = this.#parts;
      await (this.#begun ??= control.server.listen());
      const { host, port } = control.server.address();
      this.#server = `https://${host}:${port}`;
      await writeKubeconfig(this.kubeconfig, await control.server.adminKubeconfig(`fairlead-${options.name}`));
    }
    return this.kubeconfig;
  }

  listensAt(address: string, port: number): number | undefined {
    for (const node of this.#parts.nodes) {
      const found = node.listensAt(address, port);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  limits(): readonly string[] {
    const { nodes, dns } = this.#parts;
    return [...new Set([...nodes.flatMap((node) => node.limits()), ...(dns?.limits() ?? [])])];
  }

  async connect(host: string, port: number): Promise<Duplex> {
    // What the caller has seen in the API is live before it connects.
    await this.settled();
    return await (this.#parts.nodes[0] as RunningNode).connect(host, port);
  }

  async query(name: string, type: string): Promise<DnsQueryResult> {
    const { dns } = this.#parts;
    if (dns === undefined) throw new FairleadError("FL_UNSUPPORTED", "this cluster runs without DNS");
    return await dns.query(name, type);
  }

  async settled(): Promise<void> {
    await Promise.all([
      ...this.#parts.nodes.map((node) => node.settled()),
      this.#parts.gateway?.settled(),
      this.#parts.gatewayApi?.settled(),
    ]);
  }

  stop(): Promise<void> {
    return this.#parts.release();
  }
}
