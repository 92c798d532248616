/** What a cluster has without any node: the API server, clients for each part's identity, and the controllers. */
import type { AuditFiles } from "../apiserver/audit/options.ts";
import { rm } from "node:fs/promises";
import { hostname } from "node:os";
import type { KindSpec } from "../api/kind.ts";
import type { NodeAgent } from "../api/node-agent.ts";
import type { ApiHandler } from "../api/request.ts";
import type { DebugPage } from "../apiserver/handler.ts";
import type { ApiServer } from "../apiserver/server-options.ts";
import { createApiServer } from "../apiserver/server.ts";
import type { ClusterPaths } from "../cli/paths.ts";
import { kubernetesVersion, version } from "../cli/version.ts";
import type { Client } from "../client/client.ts";
import { createEventRecorder } from "../client/event-recorder-impl.ts";
import type { EventRecorder } from "../client/event-recorder.ts";
import { inProcessTransport } from "../client/in-process.ts";
import { createInformerFactory } from "../client/informer-factory.ts";
import type { InformerFactory } from "../client/informer.ts";
import { createClient } from "../client/rest.ts";
import { createEventLoopMonitor } from "../component/event-loop.ts";
import type { Manager } from "../component/manager.ts";
import { controllers } from "../controllers/index.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";
import { createClusterHistory, historyPage, historyPath } from "./history.ts";
import type { AddressPlan, ClusterNetwork } from "./network/network.ts";

export interface ControlPlaneOptions {
  /** What the API server shows beside the API: path → an object for JSON. */
  readonly pages: Map<string, DebugPage>;
  readonly manager: Manager;
  readonly network: ClusterNetwork;
  readonly plan: AddressPlan;
  readonly kinds: readonly KindSpec[];
  readonly storage: "sqlite" | "memory";
  readonly paths: ClusterPaths;
  /** On 127.0.0.1; 0: any. */
  readonly apiPort: number;
  /** Whether the API listens at once. */
  readonly listens: boolean;
  readonly serviceNodePortRange: string;
  /** In-process clients exchange bytes instead of objects. */
  readonly encode: boolean;
  readonly nodeMonitorGracePeriod?: number;
  /** Default: nothing is written down. */
  readonly audit?: AuditFiles;
  /** Stands before the API server. */
  readonly around?: (handler: ApiHandler) => ApiHandler;
  readonly nodeAgent: (name: string) => NodeAgent | undefined;
  readonly wants: (part: string) => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
}

export interface ControlPlane {
  readonly server: ApiServer;
  /** Settles when the API listens; undefined: it was not asked to. */
  readonly listening: Promise<unknown> | undefined;
  readonly client: Client;
  readonly informers: InformerFactory;
  clientOf(user: string, groups?: readonly string[]): Client;
  recorder(component: string): EventRecorder;
  startControllers(): Promise<void>;
}

/** The API server runs when this resolves; controllers are started by `startControllers`. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { manager, network, clock, log, metrics, wants } = options;
  await manager.start(createEventLoopMonitor({ clock, metrics }));
  const server = await startApiServer(options);
  const listening = options.listens ? server.listen() : undefined;
  listening?.catch(() => undefined); // told where it is awaited
  const clientOf = (user: string, groups: readonly string[] = []) =>
    createClient(inProcessTransport(server, { name: user, groups: ["system:authenticated", ...groups] }, { encode: options.encode }), {
      fieldManager: user.replace(/^system:/, ""),
    });
  const client = clientOf("kubernetes-admin", ["system:masters"]);
  // A name of their own: who looks at requests, or holds them up in a test, can tell them from a person's.
  const informers = createInformerFactory(clientOf("system:fairlead", ["system:masters"]), { clock, log });
  const recorder = (component: string) => createEventRecorder(client, component, { clock, log, host: hostname() });
  await manager.start({ name: "informers", start: async () => {}, stop: () => informers.stop(), ready: () => ({ ready: true }) });
  const startControllers = async () => {
    const context = {
      client: clientOf("system:kube-controller-manager"),
      informers,
      recorder,
      clock,
      log,
      metrics,
      random: Math.random,
      options: {
        ...(server.certificateAuthority === undefined ? {} : { rootCA: server.certificateAuthority }),
        ...(options.nodeMonitorGracePeriod === undefined ? {} : { nodeMonitorGracePeriod: options.nodeMonitorGracePeriod }),
        serviceClusterIPRanges: options.plan.serviceCIDRs,
        volumeDirectory: options.paths.volumes,
        removeVolumeDirectory: (path: string) => rm(path, { recursive: true, force: true }),
        // Where pods share the host's network, the proxy itself serves the address; else only the host reaches it.
        loadBalancer: { cidrs: [network.loadBalancerCIDR], ipMode: network.mode === "loopback" ? ("VIP" as const) : ("Proxy" as const) },
      },
    };
    for (const { name, create } of controllers) if (wants(name)) await manager.start(create(context));
  };
  return { server, listening, client, informers, clientOf, recorder, startControllers };
}

async function startApiServer(options: ControlPlaneOptions): Promise<ApiServer> {
  const { network, plan, manager, clock, log, metrics } = options;
  const audit = options.audit && (await import("../apiserver/audit/options.ts")).fileAudit(options.audit, clock, log);
  if (audit !== undefined) await manager.start(audit.component);
  const history = createClusterHistory({ directory: options.storage === "memory" ? undefined : options.paths.history, clock, log });
  options.pages.set(historyPath, historyPage(history, clock));
  const server = createApiServer({
    ...(audit === undefined ? {} : { audit }),
    ...(options.around === undefined ? {} : { around: options.around }),
    backend: history.around(await backendOf(options)),
    kinds: options.kinds,
    serviceClusterIPRanges: plan.serviceCIDRs,
    serviceNodePortRange: options.serviceNodePortRange,
    host: "127.0.0.1",
    port: options.apiPort,
    pkiDirectory: options.paths.pki,
    certificatesAtStart: options.listens,
    clusterDomain: plan.clusterDomain,
    allowLoopbackEndpoints: network.allowLoopbackEndpoints,
    // In loopback mode a pod's files are not where the pod looks for them.
    mountServiceAccountTokens: network.mode === "namespaces",
    nodeAgent: options.nodeAgent,
    checks: () => manager.readiness(),
    pages: options.pages,
    ...(network.apiAddress === undefined ? {} : { serverAddresses: [network.apiAddress.host], publishedAddress: network.apiAddress }),
    version: { git: `v${kubernetesVersion}+fairlead.${version}`, major: "1", minor: kubernetesVersion.split(".")[1] as string },
    clock,
    log,
    metrics,
  });
  await manager.start(server);
  return server;
}

async function backendOf({ storage, paths, log }: ControlPlaneOptions) {
  if (storage === "memory") return (await import("../storage/memory/memory-backend.ts")).createMemoryBackend();
  return (await import("../storage/sqlite/sqlite-backend.ts")).createSqliteBackend({ directory: paths.store, log });
}
