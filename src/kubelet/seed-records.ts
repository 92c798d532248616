/** What the status of a pod says of a former run of the node: its processes are gone, its counts go on. Pure. */
import type { ContainerState, ContainerStatus, Pod } from "../api/types.ts";
import { declaredContainers, newRecord, type ContainerExit, type ContainerRecord, type ContainerRole } from "./container-record.ts";

/**
 * Containers that ran are taken as ended with code 255 and reason Unknown, as after a reboot; init containers run again, as
 * they do in a new sandbox. `now` in ms since the epoch.
 */
export function seedRecords(pod: Pod, now: number): ReadonlyMap<string, ContainerRecord> {
  const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
  const statuses = [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses];
  return new Map(
    declaredContainers(pod).map(({ container, role }) => {
      const status = statuses.find(({ name }) => name === container.name);
      return [container.name, status === undefined ? newRecord(container.name, role) : seedRecord(container.name, role, status, now)];
    }),
  );
}

function seedRecord(name: string, role: ContainerRole, status: ContainerStatus, now: number): ContainerRecord {
  const fresh = newRecord(name, role);
  const exit = lost(status, now) ?? ended(status.state) ?? ended(status.lastState);
  if (exit === undefined) return { ...fresh, restarts: status.restartCount };
  if (role === "init" || role === "sidecar") return { ...fresh, restarts: status.restartCount + 1 };
  return { ...fresh, restarts: status.restartCount, exit, imageID: status.imageID };
}

function lost(status: ContainerStatus, now: number): ContainerExit | undefined {
  const running = status.state?.running;
  if (running === undefined) return undefined;
  return {
    ...(status.containerID === undefined ? {} : { id: status.containerID }),
    exitCode: 255,
    reason: "Unknown",
    ...(running.startedAt === undefined ? {} : { startedAt: Date.parse(running.startedAt) }),
    finishedAt: now,
  };
}

function ended(state: ContainerState | undefined): ContainerExit | undefined {
  const exit = state?.terminated;
  if (exit === undefined) return undefined;
  return {
    ...(exit.containerID === undefined ? {} : { id: exit.containerID }),
    exitCode: exit.exitCode,
    reason: exit.reason ?? "Error",
    ...(exit.message === undefined ? {} : { message: exit.message }),
    ...(exit.startedAt === undefined ? {} : { startedAt: Date.parse(exit.startedAt) }),
    finishedAt: exit.finishedAt === undefined ? 0 : Date.parse(exit.finishedAt),
  };
}
