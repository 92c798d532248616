/** For tests: all controllers against the real API server in this process, with nodes that only say that their pods run. */
import { keyOf, type KubeObject } from "../api/object.ts";
import { nodes, pods, type Resource } from "../api/resources.ts";
import { isNotFound } from "../api/status.ts";
import type { Pod } from "../api/types.ts";
import { createApiServer } from "../apiserver/server.ts";
import type { Client } from "../client/client.ts";
import { createEventRecorder } from "../client/event-recorder-impl.ts";
import { inProcessTransport } from "../client/in-process.ts";
import { createInformerFactory } from "../client/informer-factory.ts";
import type { InformerFactory } from "../client/informer.ts";
import { createClient } from "../client/rest.ts";
import { realClock, rfc3339, type Clock } from "../lib/clock.ts";
import { createLogger } from "../lib/log.ts";
import { createMemoryBackend } from "../storage/memory/memory-backend.ts";
import { controllers, type ControllerOptions } from "./index.ts";

export interface PretendCluster {
  readonly client: Client;
  readonly node: PretendNodes;
  /** Warnings and errors of the log: a test ends with none. */
  readonly complaints: readonly string[];
  list<T extends KubeObject>(resource: Resource<T>, namespace?: string): Promise<readonly T[]>;
  get<T extends KubeObject>(resource: Resource<T>, name: string, namespace?: string): Promise<T>;
  isGone<T extends KubeObject>(resource: Resource<T>, name: string, namespace?: string): Promise<boolean>;
  patch<T extends KubeObject>(resource: Resource<T>, name: string, change: object): Promise<T>;
  stop(): Promise<void>;
}

const standard = "default";

export async function startPretendCluster(
  nodeNames: readonly string[] = ["node-1"],
  options: ControllerOptions = {},
  clock: Clock = realClock,
): Promise<PretendCluster> {
  const complaints: string[] = [];
  const log = createLogger({ level: "warn", write: (line) => complaints.push(line) });
  const server = createApiServer({
    backend: createMemoryBackend(),
    serviceClusterIPRanges: ["127.96.0.0/16"],
    allowLoopbackEndpoints: true,
  });
  await server.start();
  const client = createClient(inProcessTransport(server, { name: "admin", groups: ["system:masters"] }), { fieldManager: "controllers" });
  const informers = createInformerFactory(client, { clock: realClock, log });
  const recorder = (component: string) => createEventRecorder(client, component, { clock: realClock });
  const running = controllers.map((entry) =>
    entry.create({ client, informers, recorder, clock, log, random: Math.random, options: { rootCA: "PEM", ...options } }),
  );
  const node = new PretendNodes(client, informers, complaints);
  informers.start();
  for (const controller of running) await controller.start();
  for (const name of nodeNames) await node.register(name);
  const get: PretendCluster["get"] = (resource, name, namespace = standard) =>
    client.get(resource, { ...(resource.namespaced ? { namespace } : {}), name });
  return {
    client,
    node,
    complaints,
    list: async (resource, namespace = standard) => (await client.list(resource, resource.namespaced ? { namespace } : {})).items,
    get,
    isGone: (resource, name, namespace) => get(resource, name, namespace).then(() => false, isMissing),
    patch: (resource, name, change) =>
      client.patch(resource, { ...(resource.namespaced ? { namespace: standard } : {}), name }, "application/merge-patch+json", change),
    stop: async () => {
      for (const controller of running.reverse()) await controller.stop();
      await informers.stop();
      await server.stop();
    },
  };
}

function isMissing(error: unknown): boolean {
  if (isNotFound(error)) return true;
  throw error;
}

/** Looks again until it holds; the test's own time limit ends it. */
export async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** What a pod does, told by its first container's command. */
export type Play = "serve" | "succeed" | "fail" | "hang";

/** Runs each pod that is bound to one of its nodes at once, and ends each that is being deleted. */
export class PretendNodes {
  readonly #client: Client;
  readonly #complaints: string[];
  readonly #seen = new Set<string>();
  /** Names of the pods in the order in which they began to run. */
  readonly started: string[] = [];
  /** Pods that stay not ready until they are taken out. */
  readonly held = new Set<string>();
  #addresses = 0;

  constructor(client: Client, factory: InformerFactory, complaints: string[]) {
    this.#client = client;
    this.#complaints = complaints;
    const changed = (pod: Pod) =>
      void this.#sync(pod).catch((error: unknown) => (isNotFound(error) ? undefined : this.#complaints.push(String(error))));
    factory.informer(pods).addHandlers({ added: changed, updated: changed });
  }

  async register(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    const made = await this.#client.create(nodes, { metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels } } });
    await this.#client.updateStatus(nodes, {
      ...made,
      status: { conditions: [{ type: "Ready", status: "True" }], allocatable: { cpu: "4", memory: "8Gi", pods: "500" } },
    });
  }

  async #sync(pod: Pod): Promise<void> {
    const { name = "", namespace, uid = "", deletionTimestamp } = pod.metadata;
    if ((pod.spec?.nodeName ?? "") === "") return;
    if (deletionTimestamp !== undefined) return this.#client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 });
    if (this.#seen.has(uid) || (pod.status?.phase ?? "Pending") !== "Pending") return;
    this.#seen.add(uid);
    this.started.push(keyOf(namespace === standard ? undefined : namespace, name));
    await this.#report(pod, playOf(pod));
  }

  /** Lets a pod that was held become ready, or ends one that hangs. */
  async let(name: string, play: Play): Promise<void> {
    this.held.delete(name);
    await this.#report(await this.#client.get(pods, { namespace: standard, name }), play);
  }

  async #report(pod: Pod, play: Play): Promise<void> {
    const { name = "", namespace } = pod.metadata;
    const ready = play === "serve" && !this.held.has(name);
    const phase = play === "succeed" ? "Succeeded" : play === "fail" ? "Failed" : "Running";
    const ip = pod.status?.podIP ?? `127.97.0.${++this.#addresses}`;
    const time = rfc3339(Date.now());
    const conditions = [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: time }];
    const terminated = { exitCode: play === "fail" ? 1 : 0, startedAt: time, finishedAt: time };
    const state = phase === "Running" ? { running: { startedAt: time } } : { terminated };
    const containerStatuses = (pod.spec?.containers ?? []).map(({ name: container, image = "" }) => ({
      name: container,
      image,
      imageID: "",
      ready,
      restartCount: 0,
      state,
    }));
    const status = { phase, podIP: ip, podIPs: [{ ip }], conditions, containerStatuses };
    const options = { subresource: "status" };
    await this.#client.patch(pods, { namespace, name }, "application/strategic-merge-patch+json", { status }, options);
  }
}

function playOf(pod: Pod): Play {
  const [command = "serve"] = pod.spec?.containers[0]?.command ?? [];
  return command === "succeed" || command === "fail" || command === "hang" ? command : "serve";
}
