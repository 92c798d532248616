/** Runs one probe of one container instance on its schedule until stopped. */
import type { Probe } from "../../api/types.ts";
import type { Clock, Timer } from "../../lib/clock.ts";
import { runProbe, type ProbeTarget } from "./handler.ts";
import { beginProbe, probeNumbers, stepProbe, type ProbeKind, type ProbeOutcome } from "./schedule.ts";

export interface ProberOptions {
  readonly probe: Probe;
  readonly kind: ProbeKind;
  /** Of the container instance, ms since the epoch. */
  readonly startedAt: number;
  readonly target: ProbeTarget;
  /** Instead of the target: the runtime carries the probe out itself. */
  readonly act?: () => Promise<ProbeOutcome> | undefined;
  readonly clock: Clock;
  /** When the first try may come, ms after the start; default 25. */
  readonly firstMs?: number;
  /** The last word on a success: whether the answer really came from this container. */
  readonly confirm?: (probe: Probe) => Promise<ProbeOutcome>;
  /** The verdict in force changed. */
  readonly onChange: (passed: boolean) => void;
  /** An answer that counts. */
  readonly onAnswer: (outcome: ProbeOutcome) => void;
  /** The failure threshold was reached. */
  readonly onGiveUp: (message: string) => void;
}

export interface Prober {
  stop(): void;
}

export function startProber(options: ProberOptions): Prober {
  const { probe, kind, clock } = options;
  let { state, waitMs } = beginProbe(probe, kind, options.startedAt, clock.now(), options.firstMs);
  let stopped = false;
  let timer: Timer | undefined;
  const { timeoutMs } = probeNumbers(probe);

  const tryOnce = async () => {
    let outcome = await (options.act?.() ?? runProbe(probe, options.target, timeoutMs));
    if (outcome.ok && !state.passed && options.confirm !== undefined) outcome = await options.confirm(probe);
    if (stopped) return;
    const before = state.passed;
    const step = stepProbe(probe, state, outcome, clock.now());
    state = step.state;
    if (step.counted) options.onAnswer(outcome);
    if (state.passed !== before) options.onChange(state.passed);
    if (step.gaveUp && !outcome.ok) options.onGiveUp(outcome.message);
    schedule(step.waitMs);
  };
  const schedule = (ms: number) => {
    if (!stopped) timer = clock.after(ms, () => void tryOnce());
  };
  schedule(waitMs);
  return {
    stop() {
      stopped = true;
      timer?.cancel();
    },
  };
}
