/**
 * Ends one container: preStop hook, stop signal, and SIGKILL when the grace period is over (upstream `killContainer`,
 * pkg/kubelet/kuberuntime/kuberuntime_container.go).
 */
import { sleep, type Clock, type Timer } from "../lib/clock.ts";
import type { RunningContainer } from "./runtime/runtime.ts";

/** What a container gets after its hook, however long that took. */
const leastAfterHookMs = 2000;

export interface StopOptions {
  readonly running: RunningContainer;
  readonly clock: Clock;
  /** When the grace period ends, on the monotonic clock. */
  readonly deadline: number;
  /** Wait this long before the signal, the hook included. */
  readonly delayMs: number;
  readonly stopSignal: NodeJS.Signals;
  /** Is given the milliseconds that are left. */
  readonly preStop?: (timeoutMs: number) => Promise<void>;
}

export interface Stopping {
  /** The grace period became shorter. */
  shorten(deadline: number): void;
}

export function stopContainer(options: StopOptions): Stopping {
  const { running, clock } = options;
  let deadline = options.deadline;
  let signalled = false;
  let killer: Timer | undefined;
  const left = () => Math.max(0, deadline - clock.monotonic());
  const arm = () => {
    killer?.cancel();
    killer = clock.after(left(), () => running.signal("SIGKILL"));
  };
  const run = async () => {
    const hook = options.preStop?.(left());
    await Promise.race([Promise.all([hook, sleep(clock, Math.min(options.delayMs, left()))]), running.exited]);
    if (hook !== undefined) deadline = Math.max(deadline, clock.monotonic() + leastAfterHookMs);
    signalled = true;
    running.signal(options.stopSignal);
    arm();
    await running.exited;
    killer?.cancel();
  };
  void run();
  return {
    shorten(to) {
      if (to >= deadline) return;
      deadline = to;
      if (signalled) arm();
    },
  };
}
