/**
 * A network on paper: as many nodes as one likes, whose pods are Running and Ready and nowhere. Everything above the container
 * runtime is the real thing, kubelets included, so that what controllers, scheduler and API cost can be seen at size.
 */
import { version, kubernetesVersion } from "../../cli/version.ts";
import { pods } from "../../api/resources.ts";
import { createKubelet } from "../../kubelet/kubelet.ts";
import type { MachineFacts } from "../../kubelet/node-object.ts";
import { createNodeInformers, type NodeInformers } from "../../kubelet/node-informers.ts";
import { createSimulatedRuntime } from "../../kubelet/runtime/simulated/simulated-runtime.ts";
import { FairleadError } from "../../lib/errors.ts";
import { cidrAddress, formatIp, parseCidr, type Cidr } from "../../lib/ip.ts";
import { claimLoopbackNetwork } from "./loopback-slots.ts";
import type { ClusterNetwork, NodeContext, RunningNode } from "./network.ts";
import { nodePodCIDRs } from "./pod-ranges.ts";
import { poweredNode } from "./power.ts";
import { rememberedNetwork, rememberNetwork } from "./remembered.ts";

export interface SimulatedNetworkOptions {
  /** The cluster's data directory. */
  readonly root: string;
  readonly nodeCIDRMaskSize?: number;
}

/** Apart from the pods' 10.0.0.0/8; nodes have their addresses in the range that RFC 2544 keeps for benchmarks. */
const serviceCIDR = "172.30.0.0/16";
const podCIDR = "10.0.0.0/8";
const nodeRange = parseCidr("198.18.0.0/15") as Cidr;

const machine: MachineFacts = {
  cpuCores: 32,
  memoryBytes: 128 * 2 ** 30,
  architecture: "amd64",
  operatingSystem: "linux",
  kernelVersion: "simulated",
  osImage: "simulated",
  machineID: "simulated",
  bootID: "simulated",
};

export async function createSimulatedNetwork({ root, nodeCIDRMaskSize }: SimulatedNetworkOptions): Promise<ClusterNetwork> {
  const { network, release } = await claimLoopbackNetwork(rememberedNetwork(root)?.slot);
  rememberNetwork(root, { slot: network.slot, mode: "loopback" });
  let views: NodeInformers | undefined;
  return {
    mode: "loopback",
    defaults: { serviceCIDRs: [serviceCIDR], podCIDRs: [podCIDR] },
    dns: { host: network.dnsAddress },
    hosts: {},
    // The DNS server is real, and on the host.
    allowLoopbackEndpoints: true,
    loadBalancerCIDR: network.loadBalancerCIDR,
    gatewayCIDR: network.gatewayCIDR,
    ignoredFields: () => [],
    async startNode(index, context) {
      if (context.proxyMode !== undefined) throw new FairleadError("FL_USAGE", "--proxy-mode: simulated nodes carry no traffic");
      views ??= createNodeInformers(context.informers);
      return await startNode(index, context, views, nodeCIDRMaskSize);
    },
    release,
  };
}

async function startNode(index: number, context: NodeContext, views: NodeInformers, maskSize: number | undefined): Promise<RunningNode> {
  const name = `node-${index}`;
  const podCIDRs = nodePodCIDRs(context.plan.podCIDRs, index, maskSize);
  const { node, component } = poweredNode(name, async () => {
    const kubelet = kubeletOf(name, index, podCIDRs, views, context);
    await kubelet.start();
    return {
      running: {
        agent: kubelet,
        connect: (host, port) =>
          Promise.reject(new FairleadError("FL_UNSUPPORTED", `${host}:${port}: in a simulated cluster nothing listens`)),
        listensAt: () => undefined,
        limits: () => ["Nodes and pods are simulated: they are Ready, and nothing listens at their addresses."],
        settled: async () => undefined,
      },
      ready: () => kubelet.ready(),
      stop: () => kubelet.stop(),
      crash: () => kubelet.crash(),
    };
  });
  if (context.wants("kubelet")) await context.manager.start(component);
  return node;
}

function kubeletOf(nodeName: string, index: number, podCIDRs: readonly string[], views: NodeInformers, context: NodeContext) {
  const { plan, client, informers, recorder, paths, labels, clock, log, metrics } = context;
  const lister = informers.informer(pods).lister;
  return createKubelet({
    nodeName,
    nodeAddresses: [
      { type: "InternalIP", address: formatIp(cidrAddress(nodeRange, index)) },
      { type: "Hostname", address: nodeName },
    ],
    podCIDRs,
    clusterDomain: plan.clusterDomain,
    labels,
    client,
    informers: views.of(nodeName),
    recorder: recorder("kubelet"),
    runtime: createSimulatedRuntime({ version, clock, pod: ({ namespace, name }) => lister.get(namespace, name) }),
    dataDir: `${paths.pods}/${nodeName}`,
    version: `v${kubernetesVersion}`,
    terminationDelayMs: 0,
    machine,
    ...(context.maxPods === undefined ? {} : { maxPods: context.maxPods }),
    ...(context.heartbeatMs === undefined ? {} : { heartbeatMs: context.heartbeatMs }),
    clock,
    log,
    metrics,
  });
}
