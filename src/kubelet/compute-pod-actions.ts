/**
 * Decides, from a pod and what is known of its containers, what to do next. Pure; carrying it out is the pod worker's.
 * Follows the kubelet's `computePodActions` (pkg/kubelet/kuberuntime/kuberuntime_manager.go) and KEP-753 for sidecars.
 */
import type { Container, ContainerRestartRule, Pod } from "../api/types.ts";
import { backOffRemaining, defaultBackOff, type BackOffPolicy } from "./back-off.ts";
import { declaredContainers, wasStarted, type ContainerRecord, type ContainerRecords, type DeclaredContainer } from "./container-record.ts";

export type PodAction =
  | { readonly kind: "start"; readonly name: string }
  | { readonly kind: "kill"; readonly name: string; readonly message: string }
  /** Wait until `until` (ms since the epoch) before starting it again. `delayMs`: the whole pause, for people. */
  | { readonly kind: "back-off"; readonly name: string; readonly until: number; readonly delayMs: number }
  /** Creating it failed; try again at `until`. */
  | { readonly kind: "retry"; readonly name: string; readonly until: number };

export function computePodActions(
  pod: Pod,
  records: ContainerRecords,
  now: number,
  policy: BackOffPolicy = defaultBackOff,
): readonly PodAction[] {
  if (isFinishedPhase(pod.status?.phase)) return [];
  const declared = declaredContainers(pod);
  const main = declared.filter(({ role }) => role === "main");
  const restartPolicy = pod.spec?.restartPolicy ?? "Always";
  const decide = (one: DeclaredContainer) => containerAction(one, records.get(one.container.name), restartPolicy, now, policy);
  if (main.every(({ container }) => isDone(container, records.get(container.name), restartPolicy))) return killSidecars(declared, records);

  const ephemeral = declared.filter(({ role }) => role === "ephemeral").flatMap(decide);
  const initialized = main.some(({ container }) => wasStarted(records.get(container.name)));
  const actions: PodAction[] = [...ephemeral];
  for (const one of declared.filter(({ role }) => role === "init" || role === "sidecar")) {
    const record = records.get(one.container.name);
    if (one.role === "init") {
      if (initialized || record?.exit?.exitCode === 0) continue;
      if (isDone(one.container, record, restartPolicy)) return killSidecars(declared, records);
      return [...actions, ...decide(one)];
    }
    actions.push(...decide(one));
    if (!initialized && record?.started !== true) return actions;
  }
  return [...actions, ...main.flatMap(decide)];
}

function matches({ exitCodes }: ContainerRestartRule, exitCode: number): boolean {
  const listed = exitCodes?.values?.includes(exitCode) === true;
  return exitCodes !== undefined && (exitCodes.operator === "NotIn" ? !listed : listed);
}

function containerAction(
  { container }: DeclaredContainer,
  record: ContainerRecord | undefined,
  podPolicy: string,
  now: number,
  policy: BackOffPolicy,
): readonly PodAction[] {
  const name = container.name;
  if (record?.running !== undefined) {
    return record.unhealthy === undefined || record.running.stopping ? [] : [{ kind: "kill", name, message: record.unhealthy }];
  }
  if (isDone(container, record, podPolicy) || record?.pulling === true) return [];
  if (record?.retryAt !== undefined && record.retryAt > now) return [{ kind: "retry", name, until: record.retryAt }];
  if (record?.exit === undefined) return [{ kind: "start", name }];
  const remaining = backOffRemaining(record.backOff, record.exit.finishedAt, now, policy);
  if (remaining === 0) return [{ kind: "start", name }];
  return [{ kind: "back-off", name, until: now + remaining, delayMs: record.backOff?.delayMs ?? remaining }];
}

/** It ended and its restart policy lets it rest. Its own rules by exit code come first (KEP-5307). */
function isDone(container: Container, record: ContainerRecord | undefined, podPolicy: string): boolean {
  if (record?.exit === undefined || record.running !== undefined) return false;
  const { exitCode } = record.exit;
  if ((container.restartPolicyRules ?? []).some((rule) => rule.action === "Restart" && matches(rule, exitCode))) return false;
  const policy = container.restartPolicy ?? podPolicy;
  return policy === "Never" || (policy === "OnFailure" && record.exit.exitCode === 0);
}

/** The pod is over: what only accompanied its main containers goes, last started first. */
function killSidecars(declared: readonly DeclaredContainer[], records: ContainerRecords): readonly PodAction[] {
  return declared
    .filter(
      ({ container, role }) => (role === "sidecar" || role === "ephemeral") && records.get(container.name)?.running?.stopping === false,
    )
    .map(({ container }) => ({ kind: "kill" as const, name: container.name, message: "The main containers have finished" }))
    .reverse();
}

export type PodPhase = "Pending" | "Running" | "Succeeded" | "Failed";

/** Succeeded and Failed are final: nothing of the pod runs again. */
export function isFinishedPhase(phase: string | undefined): boolean {
  return phase === "Succeeded" || phase === "Failed";
}

/** The phase of a pod (upstream `getPhase`, pkg/kubelet/kubelet_pods.go). Sidecars still running hold back the end. */
export function podPhase(pod: Pod, records: ContainerRecords): PodPhase {
  if (isFinishedPhase(pod.status?.phase)) return pod.status?.phase as PodPhase;
  const podPolicy = pod.spec?.restartPolicy ?? "Always";
  const declared = declaredContainers(pod);
  const main = declared.filter(({ role }) => role === "main");
  const started = main.some(({ container }) => wasStarted(records.get(container.name)));
  if (!started) {
    const failedInit = declared.some(({ container, role }) => {
      const record = records.get(container.name);
      return role === "init" && record?.exit !== undefined && record.exit.exitCode !== 0 && isDone(container, record, podPolicy);
    });
    return failedInit ? "Failed" : "Pending";
  }
  if (!main.every(({ container }) => isDone(container, records.get(container.name), podPolicy))) {
    return main.some(({ container }) => !wasStarted(records.get(container.name))) &&
      !main.some(({ container }) => records.get(container.name)?.running)
      ? "Pending"
      : "Running";
  }
  if (
    declared.some(
      ({ container, role }) => (role === "sidecar" || role === "ephemeral") && records.get(container.name)?.running !== undefined,
    )
  )
    return "Running";
  return main.every(({ container }) => records.get(container.name)?.exit?.exitCode === 0) ? "Succeeded" : "Failed";
}
