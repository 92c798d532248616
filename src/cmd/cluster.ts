/**
 * Composes a whole cluster in one process. The stages follow the flow: network, API server and controllers, DNS, nodes.
 * Whoever calls `createCluster` owns what it returns and must `stop` it; a failed start leaves nothing behind.
 */
import { kinds } from "../api/kinds/index.ts";
import { mayNodeSetLabel } from "../api/node-labels.ts";
import { nodes as nodesResource } from "../api/resources.ts";
import { Manager } from "../component/manager.ts";
import { controllers } from "../controllers/index.ts";
import { FairleadError } from "../lib/errors.ts";
import { cidrAddress, formatIp, parseCidr, parseIp } from "../lib/ip.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { createClusterDns, type ClusterDns } from "./cluster-dns.ts";
import { createClusterGateway, type ClusterGateway } from "./cluster-gateway.ts";
import { createClusterGatewayApi, type ClusterGatewayApi } from "./cluster-gateway-api.ts";
import type { DebugPage } from "../apiserver/handler.ts";
import { startControlPlane, type ControlPlane } from "./control-plane.ts";
import { removeFormerNodes } from "./former-nodes.ts";
import { whyPoliciesAreNotEnforced, withPolicyWarnings } from "./network-policies.ts";
import { createNetwork } from "./network/index.ts";
import type { AddressPlan, ClusterNetwork, RunningNode } from "./network/network.ts";
import { createPowerWatch } from "./network/power.ts";
import type { Cluster, ClusterOptions } from "./cluster-options.ts";
import { outOfService } from "./out-of-service.ts";
import { RunningCluster } from "./running-cluster.ts";
import { withRuntimeWarnings } from "./runtime-warnings.ts";

const mergePatch = "application/merge-patch+json";
const parts = ["dns", "proxy", "forward-proxy", "kubelet", "gateway", "networkpolicy"];

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
    kinds: withPolicyWarnings(
      withRuntimeWarnings(kinds, (pod) => network.ignoredFields(pod)),
      whyPoliciesAreNotEnforced(network.mode, options),
    ),
    storage: options.storage ?? "sqlite",
    paths,
    apiPort: options.apiPort,
    listens: options.listen ?? true,
    serviceNodePortRange: options.serviceNodePortRange ?? "30000-32767",
    encode: options.encode ?? false,
    ...(options.nodeMonitorGracePeriod === undefined ? {} : { nodeMonitorGracePeriod: options.nodeMonitorGracePeriod }),
    ...(options.audit === undefined ? {} : { audit: options.audit }),
    ...(options.interference === undefined ? {} : { around: options.interference.api }),
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
        ...(options.interference === undefined ? {} : { wrap: options.interference.dns }),
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
    const { own, given } = splitLabels(options.nodeLabels?.[name] ?? {});
    nodes.push(
      await network.startNode(index, {
        ...shared,
        client: control.clientOf(`system:node:${name}`, ["system:nodes"]),
        labels: own,
        ...(options.maxPods === undefined ? {} : { maxPods: options.maxPods }),
        ...(grace === undefined ? {} : { heartbeatMs: Math.min(10_000, grace / 5) }),
        ...(options.proxyMode === undefined ? {} : { proxyMode: options.proxyMode }),
      }),
    );
    if (Object.keys(given).length > 0) await client.patch(nodesResource, { name }, mergePatch, { metadata: { labels: given } });
  }
  pages.set("/debug/proxy/traffic", () => ({
    // Between pods the kernel carries in namespaces mode, and counts nothing by endpoint.
    counted: network.mode === "loopback" ? "all" : "incoming",
    connections: [...nodes.flatMap((node) => node.traffic?.() ?? []), ...(network.traffic?.() ?? [])],
  }));
  await manager.start(createPowerWatch({ informers, recorder: recorder("fairlead-power"), log, nodes: () => nodes }));

  // 4. The edge.
  const edge = wants("gateway") ? await startEdge(options, manager, network, control, metrics) : {};
  informers.start();
  await informers.waitForSync();
  return await new RunningCluster({ options, plan, network, control, dns, nodes, ...edge, release }).listening();
}

type Labels = Readonly<Record<string, string>>;

/** `own`: those with which a node may register itself; `given`: those that only an administrator may give it. */
function splitLabels(labels: Labels): { readonly own: Labels; readonly given: Labels } {
  const pick = (wanted: boolean) => Object.fromEntries(Object.entries(labels).filter(([key]) => mayNodeSetLabel(key) === wanted));
  return { own: pick(true), given: pick(false) };
}

interface Edge {
  readonly gateway?: ClusterGateway;
  readonly gatewayApi?: ClusterGatewayApi;
}

async function startEdge(
  options: ClusterOptions,
  manager: Manager,
  network: ClusterNetwork,
  control: ControlPlane,
  metrics: MetricsRegistry,
): Promise<Edge> {
  const { clock, log, paths } = options;
  const { informers, recorder } = control;
  const client = control.clientOf("system:serviceaccount:kube-system:fairlead-gateway", ["system:masters"]);
  const ways = {
    ...(network.connectEndpoint === undefined ? {} : { connect: network.connectEndpoint }),
    ...(network.udpTarget === undefined ? {} : { udpTarget: network.udpTarget }),
    threads: options.gatewayThreads ?? 0,
  };
  const gateway = createClusterGateway({
    client,
    informers,
    recorder: recorder("fairlead-gateway"),
    clock,
    log,
    metrics,
    anyPort: options.apiPort === 0,
    ...(network.reachEndpoint === undefined ? {} : { reach: network.reachEndpoint }),
    ...(options.storage === "memory" ? {} : { authorityDirectory: paths.pki }),
    ...ways,
  });
  await manager.start(gateway);
  const gatewayApi = createClusterGatewayApi({ client, informers, clock, log, metrics, cidr: network.gatewayCIDR, ...ways });
  await manager.start(gatewayApi);
  return { gateway, gatewayApi };
}
