/**
 * Nodes and pods as network namespaces. The kernel carries their traffic (nftables), each pod has an address and a network of
 * its own, and this process is the router to the world: the way out for pods, the way in for the host's programs.
 */
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { NodeAddress } from "../../api/types.ts";
import type { ApiServer } from "../../apiserver/server-options.ts";
import type { ClusterPaths } from "../../cli/paths.ts";
import { kubernetesVersion, version } from "../../cli/version.ts";
import { defaultNodeCIDRs, type Namespaces, type NodeNetwork } from "../../host/namespaces/namespaces.ts";
import { createNamespaces } from "../../host/namespaces/create-namespaces.ts";
import { loadLibc, type Libc } from "../../host/syscalls/libc.ts";
import { createKubelet, type Kubelet } from "../../kubelet/kubelet.ts";
import { machineCgroups } from "../../kubelet/runtime/cgroups/cgroups.ts";
import { ignoredFields } from "../../kubelet/runtime/process/namespaced/ignored-fields.ts";
import { isMachineRoot } from "../../kubelet/runtime/process/namespaced/process-user.ts";
import { openKernelCarrier } from "./kernel-carrier.ts";
import { createProxyPages } from "./proxy-pages.ts";
import { createNamespacedRuntime } from "../../kubelet/runtime/process/namespaced-runtime.ts";
import { FairleadError } from "../../lib/errors.ts";
import { cidrContains, joinHostPort, parseCidr, parseIp, type Cidr } from "../../lib/ip.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { connectTcp } from "../../net/connect.ts";
import { createEgress } from "../../net/egress/egress.ts";
import { createKernelNat } from "../../net/egress/kernel-nat.ts";
import { isReady, type Component } from "../../component/component.ts";
import { Manager } from "../../component/manager.ts";
import { ProxyHealth } from "../../proxy/health/proxy-health.ts";
import { ServiceHealthServers } from "../../proxy/health/service-health.ts";
import { createProxy, type Proxy } from "../../proxy/proxy.ts";
import { builtInImages } from "../images.ts";
import { namespaceTransport } from "../way-in-transport.ts";
import { createLoadBalancerWayIn, createNodeWayIn, type WayIn, type WayInContext } from "../way-in.ts";
import { claimLoopbackNetwork, type LoopbackNetwork } from "./loopback-slots.ts";
import type { ImagesForNodes } from "./real-images.ts";
import type { ClusterNetwork, NodeContext, SharedContext } from "./network.ts";
import { createNodePolicies } from "./node-policies.ts";
import { nodePodCIDRs } from "./pod-ranges.ts";
import { poweredNode, type PoweredParts } from "./power.ts";
import { renamed } from "./renamed.ts";
import { resolveAsPod } from "./resolve-name.ts";
import { rememberedNetwork, rememberNetwork } from "./remembered.ts";

export interface NamespacedOptions {
  readonly paths: ClusterPaths;
  /** Of each node's IPv4 range; default 24. */
  readonly nodeCIDRMaskSize?: number;
  /** Where real images come from. Default: nowhere. */
  readonly imageSources?: readonly string[];
  readonly log: Logger;
  /** The namespaces are lost: the cluster cannot go on. */
  readonly onFailure: (error: Error) => void;
}

const apiPort = 6443;
const serviceCIDRs: Readonly<Record<4 | 6, string>> = { 4: "10.96.0.0/12", 6: "fd00:10:96::/112" };
const podCIDRs: Readonly<Record<4 | 6, string>> = { 4: "10.244.0.0/16", 6: "fd00:10:244::/56" };

/** Throws FL_UNSUPPORTED where the kernel refuses. */
export async function createNamespacedNetwork(options: NamespacedOptions): Promise<ClusterNetwork> {
  const { network: loopback, release } = await claimLoopbackNetwork(rememberedNetwork(options.paths.root)?.slot);
  try {
    rememberNetwork(options.paths.root, { slot: loopback.slot, mode: "namespaces" });
    const libc = loadLibc();
    if (libc === undefined) throw new FairleadError("FL_UNSUPPORTED", "namespaces mode needs FFI (the package koffi)");
    const images = await openImages(options);
    const namespaces = await createNamespaces({ onFailure: options.onFailure });
    return namespacedNetwork(options, loopback, { namespaces, libc, images }, async () => {
      await namespaces.stop();
      await release();
    });
  } catch (error) {
    await release();
    throw error;
  }
}

async function openImages({ imageSources, paths }: NamespacedOptions): Promise<ImagesForNodes | undefined> {
  if (imageSources === undefined) return undefined;
  const { openRealImages } = await import("./real-images.ts");
  return await openRealImages(paths.root, imageSources, isOwnRoot());
}

function isOwnRoot(): boolean {
  return isMachineRoot(readFileSync("/proc/self/uid_map", "utf8"), process.getuid?.() ?? -1);
}

interface StartedNode {
  readonly network: NodeNetwork;
  readonly cidrs: readonly string[];
}

function namespacedNetwork(
  options: NamespacedOptions,
  loopback: LoopbackNetwork,
  { namespaces, libc, images }: { readonly namespaces: Namespaces; readonly libc: Libc; readonly images: ImagesForNodes | undefined },
  release: () => Promise<void>,
): ClusterNetwork {
  const { fabric, families } = namespaces;
  const isRoot = isOwnRoot();
  const cgroups = machineCgroups(isRoot);
  const noLimits = cgroups.kind === "none" ? { noLimits: cgroups.why } : {};
  const [systemAddress = ""] = fabric.systemAddresses;
  const apiAddress = { host: systemAddress, port: apiPort };
  const nodes: StartedNode[] = [];
  const transport = namespaceTransport({ node: () => fabric, fabric });
  let balancers: WayIn | undefined;
  /** Of pods and nodes. */
  let inside: readonly Cidr[] = [];
  /** Where the host's own network has an address; undefined: it is inside. */
  const onHost = (ip: string): string | undefined => {
    if (fabric.addresses.includes(ip)) return ip.includes(":") ? "::1" : "127.0.0.1";
    const address = parseIp(ip);
    return address !== undefined && inside.some((cidr) => cidrContains(cidr, address)) ? undefined : ip;
  };
  return {
    mode: "namespaces",
    defaults: { serviceCIDRs: families.map((family) => serviceCIDRs[family]), podCIDRs: families.map((family) => podCIDRs[family]) },
    dns: {
      host: systemAddress,
      sockets: { tcp: (host, port) => fabric.listen(host, port), udp: (host, port) => fabric.bindUdp(host, port) },
    },
    hosts: { "host.fairlead.internal": fabric.addresses },
    allowLoopbackEndpoints: false,
    apiAddress,
    async openApi(server: ApiServer) {
      const { fd } = await fabric.listen(apiAddress.host, apiAddress.port);
      await server.listenAlso({ fd, address: apiAddress });
    },
    async connectEndpoint(ip, port, timeoutMs) {
      const host = onHost(ip);
      return host === undefined ? await fabric.connect({ host: ip, port, timeoutMs }) : await connectFromHost(host, port, timeoutMs);
    },
    async reachEndpoint(ip, port) {
      const host = onHost(ip);
      return host === undefined ? await fabric.startConnecting({ host: ip, port }) : { ip: host, port };
    },
    loadBalancerCIDR: loopback.loadBalancerCIDR,
    gatewayCIDR: loopback.gatewayCIDR,
    traffic: () => balancers?.traffic() ?? [],
    udpTarget: (endpoint) => transport.udpTarget({ endpoint, client: "", masquerade: false }),
    ignoredFields: (pod) => ignoredFields(pod, { isRoot, isReal: ({ image = "" }) => images?.isReal(image) === true, ...noLimits }),
    async startShared(context) {
      inside = [...context.plan.podCIDRs, ...defaultNodeCIDRs].flatMap((text) => parseCidr(text) ?? []);
      const egress = createEgress({
        fabric,
        nat: await createKernelNat(fabric),
        clusterCIDRs: [...context.plan.podCIDRs, ...context.plan.serviceCIDRs, ...defaultNodeCIDRs],
        clock: context.clock,
        log: context.log,
        metrics: context.metrics,
      });
      await context.manager.start(egress);
      balancers = createLoadBalancerWayIn({ cidr: loopback.loadBalancerCIDR, nodes: () => nodes }, wayInContext(context, namespaces));
      await context.manager.start(balancers);
    },
    async startNode(index, context) {
      const name = `node-${index}`;
      const cidrs = nodePodCIDRs(context.plan.podCIDRs, index, options.nodeCIDRMaskSize);
      const { node, component } = poweredNode(name, async () => {
        const network = await namespaces.createNode({ name, index, podCIDRs: cidrs });
        const started: StartedNode = { network, cidrs: [...cidrs, ...network.addresses] };
        nodes.push(started);
        const place = { name, index, network, libc, families, podCIDRs: cidrs, hostAddress: loopback.nodeAddress(index), images };
        const withoutPower = async () => {
          nodes.splice(nodes.indexOf(started), 1);
          await network.remove();
        };
        return await startParts(place, context, namespaces, balancers, withoutPower);
      });
      await context.manager.start(component);
      return node;
    },
    release,
  };
}

function wayInContext({ informers, plan, recorder, clock, log, metrics }: SharedContext, { fabric }: Namespaces): WayInContext {
  return { informers, clusterCIDRs: plan.podCIDRs, fabric, recorder: recorder("way-in"), clock, log, metrics };
}

interface NodePlace {
  readonly name: string;
  readonly index: number;
  readonly network: NodeNetwork;
  readonly libc: Libc;
  readonly families: Namespaces["families"];
  readonly podCIDRs: readonly string[];
  /** By which the host reaches it. */
  readonly hostAddress: string;
  readonly images: ImagesForNodes | undefined;
}

/** A manager of their own: they may go and come while the cluster runs. */
async function startParts(
  place: NodePlace,
  context: NodeContext,
  namespaces: Namespaces,
  balancers: WayIn | undefined,
  removeNetwork: () => Promise<void>,
): Promise<PoweredParts> {
  const { name, network, hostAddress } = place;
  const { wants, plan, dns, log } = context;
  const parts = new Manager({ log });
  const { proxy, pages, notes } = wants("proxy") ? await proxyOf(place, context) : { proxy: undefined, pages: undefined, notes: [] };
  if (proxy !== undefined) await parts.start(renamed(proxy, `proxy ${name}`));
  if (pages !== undefined) await parts.start(pages);
  const wayIn = wants("proxy")
    ? createNodeWayIn({ name, labels: context.labels, network, hostAddress }, wayInContext(context, namespaces))
    : undefined;
  if (wayIn !== undefined) await parts.start(wayIn);
  const policies = await createNodePolicies({ ...place, dnsAddresses: namespaces.fabric.systemAddresses }, context);
  if (policies !== undefined) await parts.start(renamed(policies, `networkpolicy ${name}`));
  const kubelet = wants("kubelet") ? kubeletOf(place, context) : undefined;
  if (kubelet !== undefined) await parts.start(renamed(kubelet, `kubelet ${name}`));
  const doors = [wayIn, balancers].flatMap((door) => door ?? []);
  const doorAt = (address: string) => (address === hostAddress ? wayIn : balancers);
  return {
    running: {
      agent: kubelet,
      async connect(host, port) {
        const addresses = parseIp(host) === undefined ? await resolveAsPod(dns, host, "default", plan.clusterDomain) : [host];
        if (addresses.length === 0) throw new FairleadError("FL_CONNECT", `${host}: no such name in the cluster`);
        return await network.connect({ host: addresses[Math.floor(Math.random() * addresses.length)] as string, port });
      },
      listensAt: (address, port) => doorAt(address)?.listensAt(address, port),
      traffic: () => wayIn?.traffic() ?? [],
      limits: () => [...notes, ...doors.flatMap((door) => door.limits())],
      settled: async () => {
        await Promise.all([proxy?.settled(), policies?.settled(), ...doors.map((door) => door.settled())]);
      },
    },
    ready: () => [...parts.readiness().values()].find(({ ready }) => !ready) ?? isReady,
    stop: () => parts.stop(),
    async crash() {
      await kubelet?.crash();
      await removeNetwork();
      await parts.stop();
    },
  };
}

interface NodeProxy {
  readonly proxy: Proxy;
  readonly pages: Component;
  readonly notes: readonly string[];
}

async function proxyOf({ name, network, podCIDRs: cidrs, libc, families }: NodePlace, context: NodeContext): Promise<NodeProxy> {
  const { informers, recorder, labels, plan, clock, log, metrics } = context;
  const place = { network, libc, families, serviceCIDRs: plan.serviceCIDRs, log: log.child("proxy") };
  const { options, notes } = await openKernelCarrier(context.proxyMode ?? "nftables", place);
  await setFlowTimes(network, log);
  const health = new ProxyHealth({ clock, timeoutMs: proxyLateMs, families });
  const serviceHealth = new ServiceHealthServers({
    places: (port) => Promise.all(families.map((family) => network.listen(family === 4 ? "0.0.0.0" : "::", port))),
    healthy: () => health.healthy,
    nodeName: name,
    recorder: recorder("kube-proxy"),
    log,
  });
  const proxy = createProxy({
    informers,
    health,
    serviceHealth,
    node: { name, labels, addresses: network.addresses, nodePortAddresses: network.addresses, clusterCIDRs: cidrs },
    ...options,
    recorder: recorder("kube-proxy"),
    clock,
    log,
    metrics,
  });
  const pages = createProxyPages({ network, families, health, mode: options.mode ?? "nftables", metrics, log });
  for (const note of notes) log.warn(note, { node: name });
  return { proxy, pages, notes };
}

/**
 * How long the kernel remembers idle connections, in seconds: kube-proxy's defaults (pkg/proxy/apis/config/v1alpha1/defaults.go). One that
 * the endpoint has reset is over: for the kernel's own ten seconds a client that takes its port again would be led to that endpoint,
 * which may be dead.
 */
const flowTimes = { tcp_timeout_established: "86400", tcp_timeout_close_wait: "3600", tcp_timeout_close: "1" };

async function setFlowTimes(network: NodeNetwork, log: Logger): Promise<void> {
  for (const [name, value] of Object.entries(flowTimes)) {
    try {
      await network.sysctl(`net/netfilter/nf_conntrack_${name}`, value);
    } catch (error) {
      // A kernel that tracks nothing yet, or lets nobody but the machine's root decide: its own times hold.
      log.debug("the kernel keeps its own times for idle connections", { name, error: errorMessage(error) });
    }
  }
}

/** A change that waits longer makes the node's health checks fail; kube-proxy's sync period twice. */
const proxyLateMs = 60_000;

function kubeletOf({ name, network, podCIDRs: ranges, hostAddress, images }: NodePlace, context: NodeContext): Kubelet {
  const { plan, client, informers, recorder, paths, labels, clock, log, metrics } = context;
  const dataDir = `${paths.pods}/${name}`;
  return createKubelet({
    nodeName: name,
    nodeAddresses: [
      ...network.addresses.map((address): NodeAddress => ({ type: "InternalIP", address })),
      { type: "ExternalIP", address: hostAddress },
      { type: "Hostname", address: name },
    ],
    podCIDRs: ranges,
    clusterDomain: plan.clusterDomain,
    labels,
    client,
    informers,
    recorder: recorder("kubelet"),
    runtime: createNamespacedRuntime({
      directory: `${dataDir}/pods`,
      images: builtInImages(),
      ...images,
      version,
      log,
      network,
      nodeName: name,
      dns: { servers: [plan.clusterDNS], clusterDomain: plan.clusterDomain, hostResolvConf: "/etc/resolv.conf" },
      hidden: [paths.root, paths.kubeconfig],
    }),
    dataDir,
    version: `v${kubernetesVersion}`,
    ...(context.maxPods === undefined ? {} : { maxPods: context.maxPods }),
    ...(context.heartbeatMs === undefined ? {} : { heartbeatMs: context.heartbeatMs }),
    ...(context.wants("proxy") ? { outOfService: context.outOfService } : {}),
    clock,
    log,
    metrics,
  });
}

function connectFromHost(host: string, port: number, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    connectTcp({ host, port, timeoutMs }, (result) => {
      if ("failed" in result) reject(Object.assign(new Error(`${joinHostPort(host, port)}: ${result.failed}`), { code: result.failed }));
      else resolve(result);
    });
  });
}
