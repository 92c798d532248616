/** postStart and preStop of a container (upstream pkg/kubelet/lifecycle/handlers.go). */
import type { LifecycleHandler } from "../api/types.ts";
import { sleep, type Clock } from "../lib/clock.ts";
import { runProbe, type ProbeTarget } from "./probes/handler.ts";

export type HookResult = { readonly ok: true } | { readonly ok: false; readonly message: string };

/** Carries out a hook, for at most `timeoutMs`. Never rejects. */
export async function runHook(hook: LifecycleHandler, target: ProbeTarget, clock: Clock, timeoutMs: number): Promise<HookResult> {
  if (hook.sleep !== undefined) {
    await sleep(clock, Math.min(hook.sleep.seconds * 1000, timeoutMs));
    return { ok: true };
  }
  // Upstream takes no port for 80, and http where no scheme is given; a tcpSocket hook is accepted and does nothing.
  if (hook.exec === undefined && hook.httpGet === undefined) return { ok: true };
  const httpGet = hook.httpGet === undefined ? undefined : { ...hook.httpGet, port: hook.httpGet.port === "" ? 80 : hook.httpGet.port };
  return runProbe({ exec: hook.exec, httpGet }, target, timeoutMs);
}
