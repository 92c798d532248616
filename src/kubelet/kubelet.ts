/**
 * The node agent: makes this machine a Node, runs the pods bound to it, reports on them, and answers the API server's
 * questions about them. All it knows of the cluster comes through the informers; all it does goes through a `Runtime`.
 */
import { join } from "node:path";
import { configMaps, nodes, pods, secrets } from "../api/resources.ts";
import type { NodeAgent, PodRef } from "../api/node-agent.ts";
import type { KubeObject } from "../api/object.ts";
import type { NodeAddress, Pod } from "../api/types.ts";
import type { Client } from "../client/client.ts";
import type { EventRecorder } from "../client/event-recorder.ts";
import type { InformerFactory } from "../client/informer.ts";
import { isReady, type Component, type Readiness } from "../component/component.ts";
import { realClock, type Clock } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import { silentLogger, type Logger } from "../lib/log.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { PodAddresses } from "./addresses.ts";
import { defaultBackOff, type BackOffPolicy } from "./back-off.ts";
import { listDirectory, LogStore } from "./logs/log-store.ts";
import { readMachine } from "./machine.ts";
import { kubeletMetrics } from "./metrics.ts";
import { createNodeAgent } from "./node-agent.ts";
import type { MachineFacts } from "./node-object.ts";
import { NodeRegistration } from "./node-registration.ts";
import { ObjectSources, referencedNames } from "./object-sources.ts";
import { PodWorker } from "./pod-worker.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { StatusWriter } from "./status-writer.ts";
import { PodTokens } from "./volumes/tokens.ts";
import type { WorkerContext } from "./worker-context.ts";

export interface KubeletOptions {
  readonly nodeName: string;
  /** `InternalIP` first: it is the pods' `hostIP`. */
  readonly nodeAddresses: readonly NodeAddress[];
  /** Pods get an address from each: one range per family, the first decides `status.podIP`. */
  readonly podCIDRs: readonly string[];
  /** Default `cluster.local`. */
  readonly clusterDomain?: string;
  /** Beside those that every node has. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly recorder: EventRecorder;
  readonly runtime: Runtime;
  /** `pods/<uid>` (shared with the process runtime, whose `directory` is `<dataDir>/pods`) and `pod-logs` lie below it. */
  readonly dataDir: string;
  /** What `kubectl get nodes` shows as version: `v1.36.0`. */
  readonly version: string;
  /** Further variables for every container, under the container's own. */
  readonly podEnvironment?: (pod: Pod, podIP: string) => Readonly<Record<string, string>>;
  /**
   * From a pod's deletion to its stop signal, in ms; default 100. In that time the endpoint's removal reaches the proxies,
   * so that a process that stops at once loses no request. Not for deletions with grace period 0.
   */
  readonly terminationDelayMs?: number;
  /** Where the proxies are known: resolves when they send the pod nothing new, within a bounded time; before the delay begins. */
  readonly outOfService?: (pod: Pod) => Promise<void>;
  /** How long containers may take to end when the node stops, in ms; default 3000. */
  readonly shutdownGraceMs?: number;
  readonly maxPods?: number;
  /** Of the node's Lease; default 10,000. */
  readonly heartbeatMs?: number;
  /** Between two measurements of what pods with limits have written, in ms; default 10,000, as upstream's. */
  readonly storagePeriodMs?: number;
  readonly backOff?: BackOffPolicy;
  readonly clock?: Clock;
  readonly log?: Logger;
  readonly metrics?: MetricsRegistry;
  readonly machine?: MachineFacts;
}

export interface Kubelet extends Component, NodeAgent {
  /** The pod that has this address on this node: for the forward proxy, and to name clients. */
  podByAddress(ip: string): Pod | undefined;
  /** Ends as a machine without power does: containers are killed, and nothing more is written. */
  crash(): Promise<void>;
}

const defaultTerminationDelayMs = 100;
const defaultShutdownGraceMs = 3000;
const defaultMaxPods = 110;
const defaultStoragePeriodMs = 10_000;

export function createKubelet(options: KubeletOptions): Kubelet {
  return new NodeKubelet(options);
}

class NodeKubelet implements Kubelet {
  readonly name = "kubelet";
  readonly logs: NodeAgent["logs"];
  readonly exec: NodeAgent["exec"];
  readonly attach: NodeAgent["attach"];
  readonly dial: NodeAgent["dial"];
  readonly usage?: NonNullable<NodeAgent["usage"]>;
  readonly #options: KubeletOptions;
  readonly #log: Logger;
  readonly #context: WorkerContext;
  readonly #registration: NodeRegistration;
  /** uid → worker */
  readonly #workers = new Map<string, PodWorker>();
  readonly #stops: (() => void)[] = [];
  #running = false;

  constructor(options: KubeletOptions) {
    this.#options = options;
    this.#log = (options.log ?? silentLogger).child("kubelet");
    this.#context = workerContext(options, this.#log);
    this.#registration = new NodeRegistration({
      client: options.client,
      clock: this.#context.clock,
      log: this.#log,
      node: nodeInput(options, this.#context.machine),
      ...(options.heartbeatMs === undefined ? {} : { heartbeatMs: options.heartbeatMs }),
    });
    const { logs, clock } = this.#context;
    const { runtime } = options;
    const agent = createNodeAgent({ worker: (pod) => this.#workerOf(pod), workers: () => this.#workers.values(), runtime, logs, clock });
    this.logs = agent.logs;
    this.exec = agent.exec;
    this.attach = agent.attach;
    this.dial = agent.dial;
    if (agent.usage !== undefined) this.usage = agent.usage;
  }

  async start(): Promise<void> {
    const { runtime, informers } = this.#options;
    const podInformer = informers.informer(pods);
    await Promise.all([runtime.start(), this.#registration.start()]);
    this.#running = true;
    this.#stops.push(
      podInformer.addHandlers({
        added: (pod) => this.#seen(pod),
        updated: (pod) => this.#seen(pod),
        deleted: (pod) => this.#workers.get(pod.metadata.uid ?? "")?.removed(),
      }),
      informers.informer(nodes).addHandlers({ updated: (node) => this.#registration.seen(node) }),
      this.#context.sources.configMaps.addHandlers(this.#pokeUsers(configMaps.plural)),
      this.#context.sources.secrets.addHandlers(this.#pokeUsers(secrets.plural)),
    );
    podInformer.waitForSync().then(
      () => this.#removeOrphans(),
      (error: unknown) => this.#log.debug("stopped before the first list of pods", { error: errorMessage(error) }),
    );
  }

  stop(): Promise<void> {
    return this.#end(this.#options.shutdownGraceMs ?? defaultShutdownGraceMs);
  }

  crash(): Promise<void> {
    return this.#end(0);
  }

  async #end(graceMs: number): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    for (const stop of this.#stops.splice(0)) stop();
    await Promise.all([...this.#workers.values()].map((worker) => worker.halt(graceMs)));
    await this.#context.statuses.stop();
    await this.#registration.stop();
    await this.#options.runtime.stop();
  }

  ready(): Readiness {
    return this.#running ? isReady : { ready: false, reason: "the node is not registered" };
  }

  podByAddress(ip: string): Pod | undefined {
    for (const worker of this.#workers.values()) if (worker.podIPs.includes(ip)) return worker.pod;
    return undefined;
  }

  #seen(pod: Pod): void {
    if (!this.#running || pod.spec?.nodeName !== this.#options.nodeName) return;
    const uid = pod.metadata.uid ?? "";
    const known = this.#workers.get(uid);
    if (known !== undefined) return known.update(pod);
    const worker = new PodWorker(this.#context, pod);
    this.#workers.set(uid, worker);
    void worker.finished.then(() => this.#workers.delete(uid));
    worker.poke();
  }

  #pokeUsers(plural: string) {
    const changed = ({ metadata: { name = "", namespace } }: KubeObject) => {
      for (const worker of this.#workers.values()) {
        if (worker.pod.metadata.namespace !== namespace) continue;
        const names = referencedNames(worker.pod);
        if ((plural === configMaps.plural ? names.configMaps : names.secrets).has(name)) worker.objectsChanged();
      }
    };
    return { added: (object: KubeObject, initial: boolean) => (initial ? undefined : changed(object)), updated: changed };
  }

  #workerOf(pod: PodRef): PodWorker | undefined {
    if (pod.uid !== "") return this.#workers.get(pod.uid);
    return [...this.#workers.values()].find(
      (worker) => worker.pod.metadata.name === pod.name && worker.pod.metadata.namespace === pod.namespace,
    );
  }

  /** Logs and directories of pods that were deleted while this node was away. */
  async #removeOrphans(): Promise<void> {
    if (!this.#running) return;
    try {
      const { logs, runtime, podsDirectory } = this.#context;
      await logs.removeOthers((uid) => this.#workers.has(uid));
      for (const uid of await listDirectory(podsDirectory)) {
        if (!this.#workers.has(uid)) await runtime.removePod({ namespace: "", name: "", uid });
      }
    } catch (error) {
      this.#log.warn("remains of former pods could not be removed", { error: errorMessage(error) });
    }
  }
}

function workerContext(options: KubeletOptions, log: Logger): WorkerContext {
  const { client, dataDir, runtime, recorder } = options;
  const clock = options.clock ?? realClock;
  return {
    client,
    runtime,
    clock,
    log,
    recorder,
    metrics: kubeletMetrics(options.metrics ?? new MetricsRegistry()),
    statuses: new StatusWriter({ client, clock, log }),
    addresses: options.podCIDRs.map((cidr) => new PodAddresses(cidr)),
    logs: new LogStore({ directory: join(dataDir, "pod-logs"), clock, log }),
    sources: new ObjectSources(client, options.informers),
    tokens: new PodTokens(client, clock),
    machine: options.machine ?? readMachine(),
    hostIPs: options.nodeAddresses.filter(({ type }) => type === "InternalIP").map(({ address }) => address),
    clusterDomain: options.clusterDomain ?? "cluster.local",
    podsDirectory: join(dataDir, "pods"),
    podEnvironment: options.podEnvironment ?? (() => ({})),
    terminationDelayMs: options.terminationDelayMs ?? defaultTerminationDelayMs,
    outOfService: options.outOfService,
    storagePeriodMs: options.storagePeriodMs ?? defaultStoragePeriodMs,
    backOff: options.backOff ?? defaultBackOff,
  };
}

function nodeInput(options: KubeletOptions, machine: MachineFacts) {
  return {
    nodeName: options.nodeName,
    addresses: options.nodeAddresses,
    podCIDRs: options.podCIDRs,
    labels: options.labels ?? {},
    machine,
    version: options.version,
    runtimeVersion: options.runtime.version,
    maxPods: options.maxPods ?? defaultMaxPods,
  };
}
