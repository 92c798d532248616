/** One running instance of a container with its probes and hooks; tells its owner what changes. */
import type { Container, LifecycleHandler, Probe } from "../api/types.ts";
import type { Clock } from "../lib/clock.ts";
import { runHook, type HookResult } from "./lifecycle-hook.ts";
import type { LogWriter } from "./logs/log-writer.ts";
import { foreignAnswer } from "./port-conflict.ts";
import type { ProbeTarget } from "./probes/handler.ts";
import { containerPort } from "./probes/ports.ts";
import { startProber, type Prober } from "./probes/prober.ts";
import type { ProbeKind, ProbeOutcome } from "./probes/schedule.ts";
import { runCommand } from "./run-command.ts";
import { connectFromHost } from "./runtime/connect.ts";
import type { PodIdentity, RunningContainer, Runtime } from "./runtime/runtime.ts";
import { stopContainer, type Stopping } from "./stop-container.ts";

export interface InstanceOptions {
  readonly container: Container;
  readonly pod: PodIdentity;
  readonly running: RunningContainer;
  readonly writer: LogWriter;
  readonly runtime: Runtime;
  readonly clock: Clock;
  /** ms since the epoch */
  readonly startedAt: number;
  readonly events: InstanceEvents;
}

/** Called any number of times until the instance is closed. */
export interface InstanceEvents {
  readonly onStarted: () => void;
  readonly onReady: (ready: boolean) => void;
  /** It is to be killed: by a probe, or by a hook that failed. */
  readonly onUnhealthy: (message: string) => void;
  readonly onProbe: (kind: ProbeKind, outcome: ProbeOutcome) => void;
  readonly onHookFailed: (reason: "FailedPostStartHook" | "FailedPreStopHook", message: string) => void;
  readonly onPortConflict: (message: string) => void;
}

const hookTimeoutMs = 2 ** 31 - 1;

export class ContainerInstance {
  readonly running: RunningContainer;
  readonly writer: LogWriter;
  readonly startedAt: number;
  readonly #options: InstanceOptions;
  readonly #target: ProbeTarget;
  readonly #probers = new Map<ProbeKind, Prober>();
  #stopping: Stopping | undefined;
  #closed = false;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.running = options.running;
    this.writer = options.writer;
    this.startedAt = options.startedAt;
    this.#target = {
      container: options.container,
      podIP: options.pod.ip,
      connect: options.runtime.connect ?? connectFromHost,
      exec: (command, timeoutMs) => runCommand(options.running, options.container.name, command, timeoutMs),
    };
  }

  /** postStart first, then the probes. */
  async begin(): Promise<void> {
    const { container, events } = this.#options;
    const hook = container.lifecycle?.postStart;
    if (hook !== undefined) {
      const result = await this.#hook("postStart", hook, hookTimeoutMs);
      if (this.#closed) return;
      if (!result.ok) {
        events.onHookFailed("FailedPostStartHook", `PostStartHook failed: ${result.message}`);
        events.onUnhealthy("FailedPostStartHook");
        return;
      }
    }
    if (container.startupProbe === undefined) this.#started();
    else this.#probe("startup", container.startupProbe, (passed) => passed && this.#started());
  }

  /** Ends it by the deadline (monotonic ms); called again, the earlier deadline holds. */
  stop(deadline: number, delayMs: number): void {
    if (this.#stopping !== undefined) return this.#stopping.shorten(deadline);
    this.stopHealthProbes();
    const { container, clock } = this.#options;
    const hook = container.lifecycle?.preStop;
    this.#stopping = stopContainer({
      running: this.running,
      clock,
      deadline,
      delayMs,
      stopSignal: (container.lifecycle?.stopSignal as NodeJS.Signals | undefined) ?? this.running.stopSignal ?? "SIGTERM",
      ...(hook === undefined
        ? {}
        : { preStop: async (timeoutMs: number) => this.#reportHook(await this.#hook("preStop", hook, timeoutMs)) }),
    });
  }

  /** Readiness goes on to the end: whether a terminating endpoint still serves matters to the proxies (KEP-1672). */
  stopHealthProbes(): void {
    this.#stopProber("liveness");
    this.#stopProber("startup");
  }

  /** No calls to `events` after this. */
  close(): void {
    this.#closed = true;
    for (const kind of [...this.#probers.keys()]) this.#stopProber(kind);
  }

  #started(): void {
    if (this.#closed) return;
    this.#stopProber("startup");
    const { container, events } = this.#options;
    events.onStarted();
    if (container.readinessProbe === undefined) events.onReady(true);
    else this.#probe("readiness", container.readinessProbe, events.onReady);
    if (container.livenessProbe !== undefined && this.#stopping === undefined)
      this.#probe("liveness", container.livenessProbe, () => undefined);
  }

  #probe(kind: ProbeKind, probe: Probe, onChange: (passed: boolean) => void): void {
    const { clock, events, container, pod, startedAt, runtime } = this.#options;
    const prober = startProber({
      probe,
      kind,
      startedAt,
      clock,
      target: this.#target,
      ...(runtime.act === undefined ? {} : { act: () => runtime.act?.(pod, container, kind) }),
      ...(runtime.firstProbeMs === undefined ? {} : { firstMs: runtime.firstProbeMs }),
      confirm: (confirmed) => this.#confirm(confirmed),
      onChange,
      onAnswer: (outcome) => events.onProbe(kind, outcome),
      onGiveUp: () => kind !== "readiness" && events.onUnhealthy(`Container ${container.name} failed ${kind} probe, will be restarted`),
    });
    this.#probers.set(kind, prober);
  }

  /** Where pods share addresses, a neighbour on all of them answers in this pod's name: that is no success. */
  async #confirm(probe: Probe): Promise<ProbeOutcome> {
    const { container, pod, runtime, events } = this.#options;
    const endpoint = probe.httpGet ?? probe.tcpSocket ?? probe.grpc;
    const host = probe.httpGet?.host ?? probe.tcpSocket?.host;
    const found = endpoint === undefined || host !== undefined ? undefined : containerPort(container, endpoint.port);
    if (found?.kind !== "ok" || runtime.listeners === undefined) return { ok: true };
    const message = foreignAnswer(pod, pod.ip, found.port, await runtime.listeners(found.port, pod.ip));
    if (message === undefined) return { ok: true };
    if (!this.#closed) events.onPortConflict(message);
    return { ok: false, message };
  }

  #hook(action: "postStart" | "preStop", hook: LifecycleHandler, timeoutMs: number): Promise<HookResult> {
    const { runtime, pod, container, clock } = this.#options;
    return runtime.act?.(pod, container, action) ?? runHook(hook, this.#target, clock, timeoutMs);
  }

  #reportHook(result: HookResult): void {
    if (!result.ok) this.#options.events.onHookFailed("FailedPreStopHook", `PreStopHook failed: ${result.message}`);
  }

  #stopProber(kind: ProbeKind): void {
    this.#probers.get(kind)?.stop();
    this.#probers.delete(kind);
  }
}
