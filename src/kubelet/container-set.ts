/** The containers of one pod: their records, their running instances, and the Events that tell of them. */
import type { Container, Pod } from "../api/types.ts";
import { errorMessage } from "../lib/errors.ts";
import { nextBackOff } from "./back-off.ts";
import { ContainerEvents, probeTitle } from "./container-events.ts";
import { ContainerInstance, type InstanceEvents } from "./container-instance.ts";
import { newRecord, wasStarted, type ContainerRecord, type ContainerRecords, type DeclaredContainer } from "./container-record.ts";
import { ImagePulls } from "./image-pulls.ts";
import { bindConflict, takenPorts } from "./port-conflict.ts";
import { exitRecord, prepareContainer, type Prepared, type PrepareInput } from "./prepare-container.ts";
import type { ProbeKind, ProbeOutcome } from "./probes/schedule.ts";
import { pullCredentials, pullSecretNames } from "./pull-secrets.ts";
import { ContainerStartError, type ImageAbsent, type PodIdentity, type ProcessExit } from "./runtime/runtime.ts";
import type { WorkerContext } from "./worker-context.ts";

const configRetryMs = 10_000;

type StartInput = Pick<PrepareInput, "pod" | "identity" | "facts" | "sources" | "volumes">;
type ReadyContainer = Extract<Prepared, { kind: "ready" }>;

export class ContainerSet {
  readonly #context: WorkerContext;
  readonly #changed: () => void;
  readonly #records: Map<string, ContainerRecord>;
  readonly #instances = new Map<string, ContainerInstance>();
  /** Output of ended instances that is still on its way to disk. */
  readonly #writing = new Set<Promise<void>>();
  readonly #pulls: ImagePulls;
  readonly #events: ContainerEvents;
  #pod: Pod;

  constructor(context: WorkerContext, pod: Pod, records: ContainerRecords, changed: () => void) {
    this.#context = context;
    this.#pod = pod;
    this.#records = new Map(records);
    this.#changed = changed;
    this.#events = new ContainerEvents(context.recorder, context.runtime);
    const { runtime, clock, backOff } = context;
    this.#pulls = new ImagePulls({ runtime, clock, backOff, events: this.#events, changed: (name) => this.#pullEnded(name) });
  }

  /** The pod as Events name it. */
  setPod(pod: Pod): void {
    this.#pod = pod;
  }

  get records(): ContainerRecords {
    return this.#records;
  }

  instance(name: string): ContainerInstance | undefined {
    return this.#instances.get(name);
  }

  /** What each has written beside its volumes, in bytes, where the runtime knows. */
  async writtenBytes(): Promise<ReadonlyMap<string, number>> {
    const written = new Map<string, number>();
    for (const [name, { running }] of this.#instances) written.set(name, (await running.writtenBytes?.()) ?? 0);
    return written;
  }

  anyRunning(): boolean {
    return this.#instances.size > 0;
  }

  async start(declared: DeclaredContainer, input: StartInput): Promise<void> {
    const { container } = declared;
    this.#events.ignoredFields(input.pod);
    const pulled = this.#pulls.take(container.name);
    const prepared = await prepareContainer({ ...input, context: this.#context, container, pulled });
    if (prepared.kind === "pull") return this.#pull(declared, input);
    if (prepared.kind === "no-image") return this.#noImage(declared, input.pod, prepared.absent);
    if (prepared.kind === "config-error") return this.#configError(declared, input.pod, prepared.message);
    this.#events.prepared(input.pod, input.identity, container, prepared, pulled !== undefined);
    await this.#run(declared, input, prepared);
  }

  /** Ends a container by `deadline` (monotonic ms). `message`: why, for its Event. */
  stop(name: string, deadline: number, delayMs: number, message = `Stopping container ${name}`): void {
    const record = this.#records.get(name);
    const instance = this.#instances.get(name);
    if (instance === undefined || record?.running === undefined) return;
    if (!record.running.stopping) {
      this.#records.set(name, { ...record, running: { ...record.running, stopping: true } });
      this.#events.killing(this.#pod, message);
    }
    instance.stop(deadline, delayMs);
  }

  stopAll(deadline: number, delayMs: number): void {
    for (const name of this.#instances.keys()) this.stop(name, deadline, delayMs);
  }

  /** The end of the pod: main and init containers first, then one sidecar after the other, last started first (KEP-753). */
  terminate(declared: readonly DeclaredContainer[], deadline: number, delayMs: number): void {
    for (const instance of this.#instances.values()) instance.stopHealthProbes();
    const running = declared.filter(({ container }) => this.#instances.has(container.name));
    const first = running.filter(({ role }) => role !== "sidecar");
    const now = first.length > 0 ? first : running.slice(-1);
    for (const { container } of now) this.stop(container.name, deadline, first.length > 0 ? delayMs : 0);
  }

  async allStopped(): Promise<void> {
    await Promise.all([...this.#instances.values()].map(({ running }) => running.exited));
    await this.outputWritten();
  }

  async outputWritten(): Promise<void> {
    await Promise.all(this.#writing);
  }

  backOff({ container, role }: DeclaredContainer, pod: Pod, delayMs: number): void {
    const record = this.#record(container.name, role);
    const what = `container=${container.name} pod=${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;
    if (record.waiting?.reason !== "CrashLoopBackOff") this.#events.backOff(pod, container);
    this.#records.set(container.name, {
      ...record,
      waiting: { reason: "CrashLoopBackOff", message: `back-off ${goDuration(delayMs)} restarting failed ${what}` },
    });
  }

  /** Its image was looked for in vain: from the second look on, the status says so in upstream's second form. */
  awaitRetry({ container, role }: DeclaredContainer, pod: Pod): void {
    const record = this.#record(container.name, role);
    if (record.waiting?.reason !== "ErrImagePull") return;
    const message = `Back-off pulling image ${JSON.stringify(container.image)}: ErrImagePull: ${record.waiting.message}`;
    this.#events.imageBackOff(pod, container);
    this.#records.set(container.name, { ...record, waiting: { reason: "ImagePullBackOff", message } });
  }

  /** An object that was missing may be there now. */
  forgetConfigErrors(): void {
    for (const [name, record] of this.#records) {
      if (record.waiting?.reason !== "CreateContainerConfigError") continue;
      const { retryAt: _, ...rest } = record;
      this.#records.set(name, rest);
    }
  }

  async #run({ container, role }: DeclaredContainer, { pod, identity }: StartInput, { parts, imageID }: ReadyContainer): Promise<void> {
    const { runtime, clock, logs, metrics } = this.#context;
    const before = this.#record(container.name, role);
    const restarts = wasStarted(before) ? before.restarts + 1 : before.restarts;
    const writer = logs.open(identity, container.name, restarts);
    const { waiting: _w, retryAt: _r, unhealthy: _u, ...kept } = before;
    const backOff =
      before.exit === undefined ? before.backOff : nextBackOff(before.backOff, before.exit.finishedAt, clock.now(), this.#context.backOff);
    const record = { ...kept, restarts, imageID, started: false, ready: false, ...(backOff === undefined ? {} : { backOff }) };
    try {
      const running = await runtime.run({ ...parts, instance: restarts, output: (stream, chunk) => writer.write(stream, chunk) });
      const startedAt = clock.now();
      const events = this.#eventsOf(container, pod);
      const instance = new ContainerInstance({ container, pod: identity, running, writer, runtime, clock, startedAt, events });
      this.#records.set(container.name, { ...record, running: { id: running.id, startedAt, stopping: false } });
      this.#instances.set(container.name, instance);
      void running.exited.then((exit) => this.#exited(container, instance, pod, identity, exit));
      metrics.startedContainers.inc();
      this.#events.started(pod, container);
      void instance.begin();
    } catch (error) {
      await writer.end();
      this.#startFailed(container, pod, record, error);
    }
  }

  #startFailed(container: Container, pod: Pod, record: ContainerRecord, error: unknown): void {
    const { clock, metrics } = this.#context;
    const message = errorMessage(error);
    const { exitCode, reason } = error instanceof ContainerStartError ? error : { exitCode: 128, reason: "StartError" };
    metrics.startErrors.labels(reason).inc();
    this.#events.failed(pod, message);
    this.#records.set(container.name, {
      ...record,
      ...(record.exit === undefined ? {} : { earlierExit: record.exit }),
      exit: { exitCode, reason, message, finishedAt: clock.now() },
      waiting: { reason: "RunContainerError", message },
    });
    this.#changed();
  }

  #exited(container: Container, instance: ContainerInstance, pod: Pod, identity: PodIdentity, exit: ProcessExit): void {
    instance.close();
    this.#instances.delete(container.name);
    const { running: _, unhealthy: _u, ...record } = this.#records.get(container.name) as ContainerRecord;
    const { id } = instance.running;
    this.#records.set(container.name, {
      ...record,
      started: false,
      ready: false,
      ...(record.exit === undefined ? {} : { earlierExit: record.exit }),
      exit: exitRecord(container, id, instance.startedAt, exit, instance.writer.errorTail, this.#context.clock.now()),
    });
    this.#changed();
    const writing = this.#finishOutput(container, instance, pod, identity, exit.exitCode).finally(() => this.#writing.delete(writing));
    this.#writing.add(writing);
  }

  async #finishOutput(container: Container, instance: ContainerInstance, pod: Pod, identity: PodIdentity, exitCode: number): Promise<void> {
    await instance.running.drained;
    await instance.writer.end();
    if (exitCode === 0 || this.#context.runtime.listeners === undefined) return;
    for (const port of takenPorts(instance.writer.errorTail, container)) {
      const conflict = bindConflict(identity, identity.ip, port, await this.#context.runtime.listeners(port));
      if (conflict !== undefined) this.#events.portConflict(pod, conflict, "each");
    }
  }

  #eventsOf(container: Container, pod: Pod): InstanceEvents {
    const change = (values: Partial<ContainerRecord>) => {
      const record = this.#records.get(container.name);
      if (record?.running === undefined) return;
      this.#records.set(container.name, { ...record, ...values });
      this.#changed();
    };
    return {
      onStarted: () => change({ started: true }),
      onReady: (ready) => change({ ready }),
      onUnhealthy: (unhealthy) => change({ unhealthy }),
      onProbe: (kind, outcome) => this.#probed(container, pod, kind, outcome),
      onHookFailed: (reason, message) => this.#events.hookFailed(pod, reason, message),
      onPortConflict: (message) => this.#events.portConflict(pod, message, "once"),
    };
  }

  #probed(container: Container, pod: Pod, kind: ProbeKind, outcome: ProbeOutcome): void {
    const { name = "", namespace = "" } = pod.metadata;
    const result = outcome.ok ? "successful" : "failed";
    this.#context.metrics.probes.labels(probeTitle(kind), result, container.name, name, namespace).inc();
    if (!outcome.ok) this.#events.unhealthy(pod, kind, outcome.message);
  }

  #pull({ container, role }: DeclaredContainer, { pod, sources }: StartInput): void {
    this.#records.set(container.name, { ...this.#record(container.name, role), pulling: true });
    const secrets = pullSecretNames(pod).flatMap((name) => sources.secret(name) ?? []);
    this.#pulls.begin(container, pod, pullCredentials(secrets));
  }

  #pullEnded(name: string): void {
    const { pulling: _, ...record } = this.#records.get(name) as ContainerRecord;
    this.#records.set(name, record);
    this.#changed();
  }

  #noImage({ container, role }: DeclaredContainer, pod: Pod, absent: ImageAbsent): void {
    const { reason = "ErrImagePull", message } = absent;
    this.#events.noImage(pod, container, absent);
    this.#records.set(container.name, {
      ...this.#record(container.name, role),
      waiting: { reason, message },
      retryAt: this.#context.clock.now() + this.#pulls.nextPause(container.name),
    });
  }

  #configError({ container, role }: DeclaredContainer, pod: Pod, message: string): void {
    const { clock } = this.#context;
    this.#events.failed(pod, message);
    const waiting = { reason: "CreateContainerConfigError", message };
    this.#records.set(container.name, { ...this.#record(container.name, role), waiting, retryAt: clock.now() + configRetryMs });
  }

  #record(name: string, role: ContainerRecord["role"]): ContainerRecord {
    return this.#records.get(name) ?? newRecord(name, role);
  }
}

/** As Go writes a duration: `10s`, `1m20s`, `5m0s`. */
export function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
