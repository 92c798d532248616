/** What the kubelet knows of a container: plain data, replaced on every change, the input of all its decisions. */
import type { Container, Pod } from "../api/types.ts";
import type { BackOff } from "./back-off.ts";

/**
 * An init container that stays (`restartPolicy: Always`) is a sidecar (KEP-753). An ephemeral one was added to a running pod
 * to look at it (KEP-277): it runs once, and nothing depends on it.
 */
export type ContainerRole = "init" | "sidecar" | "main" | "ephemeral";

/** One instance that has ended. Times in ms since the epoch; `startedAt` is absent when it never ran. */
export interface ContainerExit {
  readonly id?: string;
  /** 128+n for a process ended by signal n, as runtimes report it. */
  readonly exitCode: number;
  readonly reason: string;
  readonly message?: string;
  readonly startedAt?: number;
  readonly finishedAt: number;
}

export interface ContainerRecord {
  readonly name: string;
  readonly role: ContainerRole;
  /** How often it was started anew: the number of its instance, from 0. */
  readonly restarts: number;
  readonly running?: { readonly id: string; readonly startedAt: number; readonly stopping: boolean };
  /** The last instance that ended, and the one before it. */
  readonly exit?: ContainerExit;
  readonly earlierExit?: ContainerExit;
  /** Why there is no instance now, when that is not simply that it ended. */
  readonly waiting?: { readonly reason: string; readonly message?: string };
  /** Not to be tried again before this time: set where creating it failed. */
  readonly retryAt?: number;
  /** Its image is being pulled: nothing can be done before. */
  readonly pulling?: true;
  /** Its startup probe passed, or it has none and runs. */
  readonly started: boolean;
  readonly ready: boolean;
  /** A failed liveness or startup probe, or postStart hook, that asks for it to be killed. */
  readonly unhealthy?: string;
  readonly backOff?: BackOff;
  readonly imageID?: string;
}

export type ContainerRecords = ReadonlyMap<string, ContainerRecord>;

export interface DeclaredContainer {
  readonly container: Container;
  readonly role: ContainerRole;
}

/** All containers of a pod in the order in which they start; ephemeral ones last. */
export function declaredContainers(pod: Pod): readonly DeclaredContainer[] {
  const initial = (pod.spec?.initContainers ?? []).map((container) => ({
    container,
    role: container.restartPolicy === "Always" ? ("sidecar" as const) : ("init" as const),
  }));
  const main = (pod.spec?.containers ?? []).map((container) => ({ container, role: "main" as const }));
  const ephemeral = (pod.spec?.ephemeralContainers ?? []).map((container) => ({
    container: { ...container, restartPolicy: "Never" },
    role: "ephemeral" as const,
  }));
  return [...initial, ...main, ...ephemeral];
}

/** A record of a container that was never started. */
export function newRecord(name: string, role: ContainerRole): ContainerRecord {
  return { name, role, restarts: 0, started: false, ready: false };
}

/** Whether it has ever had an instance. */
export function wasStarted(record: ContainerRecord | undefined): boolean {
  return record !== undefined && (record.running !== undefined || record.exit !== undefined);
}
