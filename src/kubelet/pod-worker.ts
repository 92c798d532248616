/**
 * Runs one pod from the moment it is bound to this node until its object is gone. One loop, never two at a time: look at what
 * is known, let `computePodActions` decide, carry it out, write the status. Everything that happens (a change of the object,
 * an exit, a probe) changes what is known and pokes the loop.
 */
import { pods } from "../api/resources.ts";
import { isConflict, isNotFound } from "../api/status.ts";
import type { Pod, PodStatus } from "../api/types.ts";
import { sleep, type Timer } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import { computePodActions, isFinishedPhase, type PodAction } from "./compute-pod-actions.ts";
import { declaredContainers, type ContainerRecord, type DeclaredContainer } from "./container-record.ts";
import { ContainerSet } from "./container-set.ts";
import type { ContainerInstance } from "./container-instance.ts";
import { limitsStorage } from "./eviction/storage-limits.ts";
import { watchStorage } from "./eviction/storage-watch.ts";
import { PodSandbox } from "./pod-sandbox.ts";
import { podStatus } from "./pod-status.ts";
import { seedRecords } from "./seed-records.ts";
import { readsObjects } from "./volumes/pod-volumes.ts";
import type { WorkerContext } from "./worker-context.ts";

const faultRetryMs = 1_000;
const evicted = "Evicted";
const leastGraceSeconds = 1;
const defaultGraceSeconds = 30;

export class PodWorker {
  readonly uid: string;
  /** Resolves when nothing of the pod is left: no process, no directory, no object. */
  readonly finished: Promise<void>;
  readonly #context: WorkerContext;
  readonly #sandbox: PodSandbox;
  readonly #containers: ContainerSet;
  readonly #since: number;
  readonly #seenAt: number;
  #pod: Pod;
  #status: PodStatus | undefined;
  #failure: { readonly reason: string; readonly message: string } | undefined;
  #stopStorageWatch: (() => void) | undefined;
  #ending: { readonly since: number; deadline: number } | undefined;
  #leaving: Promise<void> | undefined;
  #gone = false;
  #startSeen = false;
  #halted = false;
  #over = false;
  #dirty = false;
  #looping: Promise<void> | undefined;
  #timer: Timer | undefined;
  #wakeAt = 0;
  #finish: () => void = () => undefined;

  constructor(context: WorkerContext, pod: Pod) {
    this.#context = context;
    this.#pod = pod;
    this.uid = pod.metadata.uid ?? "";
    this.#sandbox = new PodSandbox(context, pod);
    this.#since = pod.status?.startTime === undefined ? context.clock.now() : Date.parse(pod.status.startTime);
    this.#seenAt = context.clock.monotonic();
    this.finished = new Promise((resolve) => (this.#finish = resolve));
    this.#containers = new ContainerSet(context, pod, seedRecords(pod, context.clock.now()), () => this.poke());
    context.metrics.runningPods.inc();
    if (limitsStorage(pod)) this.#watchStorage();
  }

  get pod(): Pod {
    return this.#pod;
  }

  get podIPs(): readonly string[] {
    return this.#sandbox.identity.ips;
  }

  record(container: string): ContainerRecord | undefined {
    return this.#containers.records.get(container);
  }

  instance(container: string): ContainerInstance | undefined {
    return this.#containers.instance(container);
  }

  /** All output of containers that have ended is in their logs; takes a moment at most. */
  outputWritten(): Promise<void> {
    return this.#containers.outputWritten();
  }

  update(pod: Pod): void {
    const annotationsOrLabels =
      pod.metadata.labels !== this.#pod.metadata.labels || pod.metadata.annotations !== this.#pod.metadata.annotations;
    this.#pod = pod;
    this.#containers.setPod(pod);
    this.#context.statuses.observe(pod);
    if (annotationsOrLabels && readsObjects(pod)) this.#sandbox.refreshVolumes();
    this.poke();
  }

  /** The object is gone from the API. */
  removed(): void {
    this.#gone = true;
    this.#context.statuses.forget(this.uid);
    this.poke();
  }

  /** A ConfigMap or Secret that the pod names changed. */
  objectsChanged(): void {
    this.#sandbox.refreshVolumes();
    this.#containers.forgetConfigErrors();
    this.poke();
  }

  /** Ends the processes, at the latest after `graceMs`, and writes nothing more: the program stops, the pod stays. */
  async halt(graceMs: number): Promise<void> {
    this.#halted = true;
    this.#stopStorageWatch?.();
    this.#timer?.cancel();
    this.#containers.stopAll(this.#context.clock.monotonic() + graceMs, 0);
    // What waits for the API may wait for ever: it is going down too.
    await Promise.race([this.#looping, sleep(this.#context.clock, graceMs)]);
    this.#containers.stopAll(this.#context.clock.monotonic() + graceMs, 0);
    await this.#containers.allStopped();
  }

  poke(): void {
    this.#dirty = true;
    if (!this.#over && !this.#halted) this.#looping ??= this.#loop();
  }

  async #loop(): Promise<void> {
    // Whoever pokes goes on first: what a round causes may poke again before it returns.
    await Promise.resolve();
    while (this.#dirty && !this.#over && !this.#halted) {
      this.#dirty = false;
      try {
        await this.#sync();
      } catch (error) {
        this.#context.log.error("a pod could not be brought forward; it is tried again", { pod: this.#name(), error: errorMessage(error) });
        this.#wake(faultRetryMs);
      }
    }
    this.#looping = undefined;
  }

  async #sync(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#gone || this.#pod.metadata.deletionTimestamp !== undefined) return this.#terminate();
    if (isFinishedPhase(this.#pod.status?.phase) && !this.#containers.anyRunning()) return this.#sandbox.release();
    this.#checkDeadline();
    if (this.#failure !== undefined) {
      // As upstream: who is evicted for its limits has no grace.
      const grace = this.#failure.reason === evicted ? 0 : this.#pod.spec?.terminationGracePeriodSeconds;
      this.#containers.stopAll(this.#context.clock.monotonic() + this.#graceMs(grace), 0);
      return this.#writeStatus();
    }
    const sandbox = await this.#sandbox.setUp(this.#pod);
    if (sandbox.retryMs !== undefined) this.#wake(sandbox.retryMs);
    if (sandbox.usable) await this.#act();
    this.#writeStatus();
  }

  async #act(): Promise<void> {
    const { clock, backOff } = this.#context;
    const actions = computePodActions(this.#pod, this.#containers.records, clock.now(), backOff);
    for (const action of actions) {
      if (this.#gone || this.#halted || this.#pod.metadata.deletionTimestamp !== undefined) return;
      await this.#carryOut(action);
    }
  }

  async #carryOut(action: PodAction): Promise<void> {
    const { clock, sources } = this.#context;
    const declared = this.#declared(action.name);
    switch (action.kind) {
      case "start": {
        const pod = {
          pod: this.#pod,
          identity: this.#sandbox.identity,
          facts: this.#sandbox.facts,
          sources: await sources.load(this.#pod),
          volumes: this.#sandbox.volumes,
        };
        await this.#containers.start(declared, pod);
        // What it leads to next (the following init container, a retry) is for the next round.
        this.#dirty = true;
        return;
      }
      case "kill": {
        const probe = declared.container.livenessProbe ?? declared.container.startupProbe;
        const grace = probe?.terminationGracePeriodSeconds ?? this.#pod.spec?.terminationGracePeriodSeconds;
        this.#containers.stop(action.name, clock.monotonic() + this.#graceMs(grace), 0, action.message);
        return;
      }
      case "back-off":
        this.#containers.backOff(declared, this.#pod, action.delayMs);
        return this.#wake(action.until - clock.now());
      case "retry":
        this.#containers.awaitRetry(declared, this.#pod);
        return this.#wake(action.until - clock.now());
    }
  }

  async #terminate(): Promise<void> {
    const { clock } = this.#context;
    const graceMs = this.#graceMs(this.#pod.metadata.deletionGracePeriodSeconds ?? this.#pod.spec?.terminationGracePeriodSeconds);
    this.#ending ??= { since: clock.monotonic(), deadline: Number.POSITIVE_INFINITY };
    this.#ending.deadline = Math.min(this.#ending.deadline, this.#ending.since + graceMs);
    const forced = this.#gone || this.#pod.metadata.deletionGracePeriodSeconds === 0;
    if (!forced) await this.#leaveService();
    this.#containers.terminate(declaredContainers(this.#pod), this.#ending.deadline, forced ? 0 : this.#context.terminationDelayMs);
    if (!this.#gone) this.#writeStatus();
    if (this.#containers.anyRunning()) return;
    await this.#cleanUp();
  }

  /** A process that stops at once must not be sent connections any more. Asked once. */
  async #leaveService(): Promise<void> {
    const { outOfService } = this.#context;
    if (outOfService === undefined || !this.#containers.anyRunning()) return;
    this.#leaving ??= outOfService(this.#pod);
    await this.#leaving;
  }

  async #cleanUp(): Promise<void> {
    const { logs, statuses, metrics } = this.#context;
    this.#over = true;
    this.#stopStorageWatch?.();
    await this.#containers.outputWritten();
    if (!this.#gone) await statuses.flush(this.uid);
    statuses.forget(this.uid);
    await this.#sandbox.tearDown();
    if (!this.#gone) await this.#deleteObject();
    await logs.removePod(this.#sandbox.identity);
    metrics.runningPods.inc(-1);
    this.#finish();
  }

  /** Everything is gone: now the object may go (upstream: the status manager's last act). */
  async #deleteObject(): Promise<void> {
    const { client, clock, log } = this.#context;
    const { namespace, name } = this.#sandbox.identity;
    for (let pauseMs = 50; !this.#gone && !this.#halted; pauseMs = Math.min(pauseMs * 2, 5000)) {
      try {
        return await client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid: this.uid } });
      } catch (error) {
        if (isNotFound(error) || isConflict(error)) return;
        log.warn("a terminated pod is not deleted yet", { pod: this.#name(), error: errorMessage(error) });
        await sleep(clock, pauseMs);
      }
    }
  }

  #watchStorage(): void {
    const { clock, log, recorder, storagePeriodMs: periodMs } = this.#context;
    this.#stopStorageWatch = watchStorage({
      pod: () => this.#pod,
      measure: async () => ({
        volumes: await this.#sandbox.volumes.emptyDirUsage(this.#pod),
        containers: await this.#containers.writtenBytes(),
      }),
      exceeded: (message) => {
        recorder.event(this.#pod, "Warning", "Evicted", message);
        this.#failure ??= { reason: evicted, message };
        this.poke();
      },
      periodMs,
      clock,
      log,
    });
  }

  #checkDeadline(): void {
    const seconds = this.#pod.spec?.activeDeadlineSeconds;
    if (seconds === undefined || this.#failure !== undefined) return;
    const left = this.#since + seconds * 1000 - this.#context.clock.now();
    if (left > 0) return this.#wake(left);
    this.#failure = { reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline" };
    this.#context.recorder.event(this.#pod, "Normal", "DeadlineExceeded", this.#failure.message);
  }

  #writeStatus(): void {
    if (this.#halted || this.#gone) return;
    // A pod that was over before this run keeps the status it had.
    if (isFinishedPhase(this.#pod.status?.phase) && this.#status === undefined) return;
    const { clock, hostIPs, metrics, statuses } = this.#context;
    this.#status = podStatus({
      pod: this.#pod,
      records: this.#containers.records,
      podIPs: this.#sandbox.identity.ips,
      hostIPs,
      startTime: this.#since,
      now: clock.now(),
      ...(this.#status === undefined ? {} : { previous: this.#status }),
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    });
    statuses.set(this.#pod, this.#status);
    if (!this.#startSeen && this.#containers.anyRunning()) {
      this.#startSeen = true;
      metrics.podStartSeconds.observe((clock.monotonic() - this.#seenAt) / 1000);
    }
  }

  /** Pokes the loop in `ms` at the latest. */
  #wake(ms: number): void {
    const { clock } = this.#context;
    const due = clock.monotonic() + Math.max(1, ms);
    if (this.#timer !== undefined && this.#wakeAt <= due) return;
    this.#timer?.cancel();
    this.#wakeAt = due;
    this.#timer = clock.after(Math.max(1, ms), () => {
      this.#timer = undefined;
      this.poke();
    });
  }

  #graceMs(seconds: number | undefined): number {
    return Math.max(leastGraceSeconds, seconds ?? defaultGraceSeconds) * 1000;
  }

  #declared(name: string): DeclaredContainer {
    return declaredContainers(this.#pod).find(({ container }) => container.name === name) as DeclaredContainer;
  }

  #name(): string {
    return `${this.#sandbox.identity.namespace}/${this.#sandbox.identity.name}`;
  }
}
