/**
 * Containers that only exist on paper: they are Running from `run` on, their probes and hooks succeed, nothing listens at their
 * addresses. For clusters of hundreds of nodes in one process, in which everything above the runtime is the real thing (as
 * upstream's hollow nodes, cmd/kubemark). What a pod is to play is told by its annotations:
 *
 * - `simulated.fairlead.dev/ready: "false"`: its readiness probes fail
 * - `simulated.fairlead.dev/healthy: "false"`: its liveness and startup probes fail
 * - `simulated.fairlead.dev/run-seconds: "5"`: its containers end by themselves after so long, with exit code
 *   `simulated.fairlead.dev/exit-code` (default 0)
 */
import type { ExecSession, PodRef } from "../../../api/node-agent.ts";
import type { Container, Pod } from "../../../api/types.ts";
import type { Clock, Timer } from "../../../lib/clock.ts";
import type { ProbeOutcome } from "../../probes/schedule.ts";
import { failedSession } from "../failed-session.ts";
import type { ContainerAction, ContainerSpec, ImageAnswer, PodNote, ProcessExit, RunningContainer, Runtime } from "../runtime.ts";

const annotationPrefix = "simulated.fairlead.dev/";

export interface SimulatedRuntimeOptions {
  readonly version: string;
  readonly clock: Clock;
  /** The pod as it is now: its annotations may change while it runs. */
  readonly pod: (ref: PodRef) => Pod | undefined;
}

export function createSimulatedRuntime(options: SimulatedRuntimeOptions): Runtime {
  return new SimulatedRuntime(options);
}

class SimulatedRuntime implements Runtime {
  readonly version: string;
  readonly firstProbeMs = 0;
  readonly hostNetwork = true;
  readonly #options: SimulatedRuntimeOptions;
  readonly #running = new Set<SimulatedContainer>();
  #ids = 0;

  constructor(options: SimulatedRuntimeOptions) {
    this.#options = options;
    this.version = `simulated://${options.version}`;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    for (const container of this.#running) container.signal("SIGKILL");
  }

  image({ image = "" }: Container): ImageAnswer {
    return { kind: "present", imageID: `simulated://${image}` };
  }

  baseEnvironment(): Readonly<Record<string, string>> {
    return {};
  }

  async setUpPod(): Promise<readonly PodNote[]> {
    return [];
  }

  async tearDownPod(): Promise<void> {}

  async removePod(): Promise<void> {}

  ignoredFields(): readonly [] {
    return [];
  }

  async run({ object, instance, container }: ContainerSpec): Promise<RunningContainer> {
    const id = `simulated://${object.metadata.uid}-${container.name}-${instance}-${this.#ids++}`;
    const running = new SimulatedContainer(id, ending(object), this.#options.clock);
    this.#running.add(running);
    void running.exited.then(() => this.#running.delete(running));
    return running;
  }

  async act(ref: PodRef, _container: Container, action: ContainerAction): Promise<ProbeOutcome> {
    const annotation = action === "readiness" ? "ready" : action === "liveness" || action === "startup" ? "healthy" : undefined;
    const pod = annotation === undefined ? undefined : this.#options.pod(ref);
    const fails = pod?.metadata.annotations?.[`${annotationPrefix}${annotation}`] === "false";
    return fails ? { ok: false, message: `the annotation ${annotationPrefix}${annotation} says so` } : { ok: true };
  }
}

interface Ending {
  readonly afterMs: number;
  readonly exitCode: number;
}

function ending({ metadata: { annotations } }: Pod): Ending | undefined {
  const seconds = Number(annotations?.[`${annotationPrefix}run-seconds`] ?? Number.NaN);
  const exitCode = Number(annotations?.[`${annotationPrefix}exit-code`] ?? 0);
  return Number.isFinite(seconds)
    ? { afterMs: Math.max(0, seconds * 1000), exitCode: Number.isInteger(exitCode) ? exitCode : 1 }
    : undefined;
}

const words = "the pod is simulated: nothing runs in it";

class SimulatedContainer implements RunningContainer {
  readonly id: string;
  readonly exited: Promise<ProcessExit>;
  readonly drained: Promise<void>;
  #settle: (exit: ProcessExit) => void = () => undefined;
  #timer: Timer | undefined;

  constructor(id: string, end: Ending | undefined, clock: Clock) {
    this.id = id;
    this.exited = new Promise((resolve) => (this.#settle = resolve));
    this.drained = this.exited.then(() => undefined);
    if (end !== undefined) this.#timer = clock.after(end.afterMs, () => this.#end(end.exitCode));
  }

  /** As a program that ends in order when it is asked to. */
  signal(name: NodeJS.Signals): void {
    this.#end(name === "SIGKILL" ? 137 : 0);
  }

  exec(): Promise<ExecSession> {
    return Promise.resolve(failedSession(words));
  }

  attach(): Promise<ExecSession> {
    return Promise.resolve(failedSession(words));
  }

  #end(exitCode: number): void {
    this.#timer?.cancel();
    this.#settle({ exitCode });
  }
}
