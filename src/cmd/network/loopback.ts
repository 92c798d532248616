/**
 * The network that works everywhere: one node, everything in the host's own network. Services and pods have addresses in
 * 127.0.0.0/8, the userspace proxy carries the traffic, and a forward proxy gives pods the names.
 */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { createKubelet, type Kubelet } from "../../kubelet/kubelet.ts";
import type { Runtime } from "../../kubelet/runtime/runtime.ts";
import { openServicePool } from "../../gateway/service-pool.ts";
import { FairleadError } from "../../lib/errors.ts";
import { ServiceHealthServers } from "../../proxy/health/service-health.ts";
import { createProxy, type Proxy } from "../../proxy/proxy.ts";
import { kubernetesVersion } from "../../cli/version.ts";
import type { InterferedWays } from "./interfered.ts";
import type { ClusterNetwork, NodeContext, RunningNode } from "./network.ts";
import { claimLoopbackNetwork, type LoopbackNetwork } from "./loopback-slots.ts";
import { createPodGateway, type PodGateway } from "./pod-gateway.ts";
import { rememberedNetwork, rememberNetwork } from "./remembered.ts";

export interface LoopbackOptions {
  /** The cluster's data directory: it remembers which addresses the cluster had. */
  readonly root: string;
  /** Absent: no pods run here. */
  readonly runtime: Runtime | undefined;
  /** To endpoints, where a test stands in the way. */
  readonly ways?: InterferedWays | undefined;
  /** Takes few addresses. Default false. */
  readonly small?: boolean;
}

const nodeAddress = "127.0.0.1";
/** Their low ports need no word: pods reach both by other ways, and the DNS server says itself where it listens. */
const systemServices = new Set(["kube-system/kube-dns", "default/kubernetes"]);

export async function createLoopbackNetwork({ root, runtime, ways, small = false }: LoopbackOptions): Promise<ClusterNetwork> {
  const { network, release } = await claimLoopbackNetwork(rememberedNetwork(root)?.slot, small);
  try {
    rememberNetwork(root, { slot: network.slot, mode: "loopback" });
  } catch (error) {
    await release();
    throw error;
  }
  return {
    mode: "loopback",
    defaults: { serviceCIDRs: [network.serviceCIDR], podCIDRs: [network.podCIDR] },
    dns: { host: network.dnsAddress },
    hosts: {},
    allowLoopbackEndpoints: true,
    loadBalancerCIDR: network.loadBalancerCIDR,
    gatewayCIDR: network.gatewayCIDR,
    ignoredFields: (pod) => runtime?.ignoredFields(pod) ?? [],
    startNode: (index, context) => startNode(index, context, { network, runtime, ways }),
    ...(ways === undefined ? {} : { connectEndpoint: ways.connectEndpoint }),
    release,
  };
}

/** What the node stands on. */
interface Ground {
  readonly network: LoopbackNetwork;
  readonly runtime: Runtime | undefined;
  readonly ways: InterferedWays | undefined;
}

async function startNode(index: number, context: NodeContext, { network, runtime, ways }: Ground): Promise<RunningNode> {
  const { plan, manager, wants, informers, clock, log, metrics, recorder } = context;
  const name = `node-${index}`;
  if (context.proxyMode !== undefined) {
    throw new FairleadError("FL_UNSUPPORTED", `--proxy-mode ${context.proxyMode}: in loopback mode Services are carried in user space`, {
      hint: "fairlead doctor says what namespaces mode needs.",
    });
  }
  const proxy: Proxy | undefined = wants("proxy")
    ? createProxy({
        informers,
        clock,
        log,
        metrics,
        recorder: recorder("kube-proxy"),
        ...(ways === undefined ? {} : { transport: ways.transport }),
        openHttpPool: openServicePool,
        serviceHealth: new ServiceHealthServers({
          places: async (port) => [{ host: nodeAddress, port }],
          healthy: () => true,
          nodeName: name,
          recorder: recorder("kube-proxy"),
          log,
        }),
        node: { name, labels: context.labels, addresses: [nodeAddress], nodePortAddresses: [nodeAddress], clusterCIDRs: plan.podCIDRs },
      })
    : undefined;
  if (proxy !== undefined) await manager.start(proxy);
  const gateway = proxy === undefined ? undefined : gatewayOf(proxy, context, network, ways);
  if (gateway !== undefined) await manager.start(gateway);
  const kubelet = runtime === undefined ? undefined : kubeletOf(name, runtime, gateway, context);
  if (kubelet !== undefined) await manager.start(kubelet);
  return {
    name,
    agent: kubelet,
    async connect(host, port) {
      if (gateway === undefined) throw new FairleadError("FL_UNSUPPORTED", "this cluster runs without proxy or DNS");
      return await gateway.connect(host, port);
    },
    listensAt(address, at) {
      if (proxy === undefined) return undefined;
      const problem = proxy.status().problems.find((one) => one.address === address && one.port === at);
      return problem === undefined ? at : problem.standIn;
    },
    traffic: () => proxy?.traffic() ?? [],
    limits: () => limitsOf(proxy, plan.serviceCIDRs),
    settled: async () => await proxy?.settled(),
  };
}

function gatewayOf(
  proxy: Proxy,
  { plan, dns, clock, log, wants }: NodeContext,
  network: LoopbackNetwork,
  ways?: InterferedWays,
): PodGateway {
  return createPodGateway({
    proxy,
    dns,
    serviceCIDRs: plan.serviceCIDRs,
    clusterDomain: plan.clusterDomain,
    host: network.proxyAddress,
    secret: randomBytes(16).toString("hex"),
    clock,
    log,
    listen: wants("forward-proxy"),
    ...(ways === undefined ? {} : { connect: ways.connectTcp }),
  });
}

function kubeletOf(nodeName: string, runtime: Runtime, gateway: PodGateway | undefined, context: NodeContext): Kubelet {
  const { plan, client, informers, recorder, paths, clock, log, metrics, labels } = context;
  return createKubelet({
    nodeName,
    nodeAddresses: [
      { type: "InternalIP", address: nodeAddress },
      { type: "Hostname", address: hostname() },
    ],
    podCIDRs: plan.podCIDRs,
    clusterDomain: plan.clusterDomain,
    labels,
    client,
    informers,
    recorder: recorder("kubelet"),
    runtime,
    dataDir: paths.pods,
    version: `v${kubernetesVersion}`,
    ...(context.maxPods === undefined ? {} : { maxPods: context.maxPods }),
    ...(context.heartbeatMs === undefined ? {} : { heartbeatMs: context.heartbeatMs }),
    ...(context.wants("proxy") ? { outOfService: context.outOfService } : {}),
    podEnvironment: (pod, podIP) =>
      gateway?.environment({ namespace: pod.metadata.namespace ?? "", name: pod.metadata.name ?? "", ip: podIP }) ?? {},
    clock,
    log,
    metrics,
  });
}

function limitsOf(proxy: Proxy | undefined, serviceCIDRs: readonly string[]): readonly string[] {
  const unbound = (proxy?.status().problems ?? []).filter(
    ({ service, severity }) => severity === "warning" && !systemServices.has(service),
  );
  const outside = serviceCIDRs.every((range) => range.startsWith("127."))
    ? []
    : [
        `Services have addresses in ${serviceCIDRs.join(", ")}, which this machine does not have: in loopback mode only pods reach them, through HTTP_PROXY and ALL_PROXY`,
      ];
  return [...outside, ...unbound.map(({ service, message }) => `Service ${service}: ${message}`)];
}
