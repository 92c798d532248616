/**
 * When a probe runs and what its answers mean; pure. As upstream's prober (pkg/kubelet/prober/worker.go), with one
 * documented difference: until a startup or readiness probe first succeeds, it is also tried between the periods, from
 * 25 ms on, the gap doubling up to `periodSeconds`. Such an extra try can only succeed: failures count once a full period,
 * so a slow starter is never given up sooner than upstream gives it up.
 */
import type { Probe } from "../../api/types.ts";

export type ProbeKind = "startup" | "readiness" | "liveness";

export type ProbeOutcome = { readonly ok: true } | { readonly ok: false; readonly message: string };

export interface ProbeState {
  /** The verdict in force. A liveness probe begins as passed, the others as not passed. */
  readonly passed: boolean;
  readonly successes: number;
  readonly failures: number;
  /** The next extra gap in ms; absent once the first success was seen, and for liveness. */
  readonly seek?: number;
  /** When the last answer that counted as a failure came, or when counting began. */
  readonly countedAt: number;
}

export const firstSeekMs = 25;

interface Numbers {
  readonly periodMs: number;
  readonly initialDelayMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

export function probeNumbers(probe: Probe): Numbers & { readonly timeoutMs: number } {
  return {
    periodMs: (probe.periodSeconds ?? 10) * 1000,
    initialDelayMs: (probe.initialDelaySeconds ?? 0) * 1000,
    timeoutMs: (probe.timeoutSeconds ?? 1) * 1000,
    successThreshold: probe.successThreshold ?? 1,
    failureThreshold: probe.failureThreshold ?? 3,
  };
}

/** The state at a container's start and the ms to wait before the first try. `now` is later than `startedAt` for probes held back by a startup probe. */
export function beginProbe(
  probe: Probe,
  kind: ProbeKind,
  startedAt: number,
  now: number,
  firstMs: number = firstSeekMs,
): { readonly state: ProbeState; readonly waitMs: number } {
  const { initialDelayMs, periodMs } = probeNumbers(probe);
  const seeks = kind !== "liveness";
  const earliest =
    startedAt + (seeks ? Math.max(initialDelayMs, Math.min(firstMs, periodMs)) : initialDelayMs === 0 ? periodMs : initialDelayMs);
  const state: ProbeState = {
    passed: kind === "liveness",
    successes: 0,
    failures: 0,
    countedAt: Math.max(now, startedAt + initialDelayMs),
  };
  return { state: seeks ? { ...state, seek: Math.max(firstMs * 2, firstSeekMs) } : state, waitMs: Math.max(0, earliest - now) };
}

export interface ProbeStep {
  readonly state: ProbeState;
  readonly waitMs: number;
  /** A failure that counts, or a success: worth an Event or a metric. */
  readonly counted: boolean;
  /** The failure threshold was just reached (again): a liveness or startup probe has its container killed. */
  readonly gaveUp: boolean;
}

/** Takes one answer that came at `now`. */
export function stepProbe(probe: Probe, state: ProbeState, outcome: ProbeOutcome, now: number): ProbeStep {
  const { periodMs, successThreshold, failureThreshold } = probeNumbers(probe);
  if (outcome.ok) {
    const successes = state.successes + 1;
    const passed = state.passed || successes >= successThreshold;
    return { state: { passed, successes, failures: 0, countedAt: now }, waitMs: periodMs, counted: true, gaveUp: false };
  }
  const counted = state.seek === undefined || now - state.countedAt >= periodMs;
  const failures = counted ? state.failures + 1 : state.failures;
  const gaveUp = counted && failures >= failureThreshold;
  const next: ProbeState = { passed: state.passed && !gaveUp, successes: 0, failures, countedAt: counted ? now : state.countedAt };
  if (state.seek === undefined) return { state: next, waitMs: periodMs, counted, gaveUp };
  const untilCount = Math.max(1, next.countedAt + periodMs - now);
  return { state: { ...next, seek: Math.min(state.seek * 2, periodMs) }, waitMs: Math.min(state.seek, untilCount), counted, gaveUp };
}
