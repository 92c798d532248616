/** Logs, exec, attach and port-forward of this node's pods, for the API server. */
import type { AttachOptions, ExecOptions, ExecSession, LogOptions, NodeAgent, PodRef } from "../api/node-agent.ts";
import { badRequestError, notFoundError, unavailableError } from "../api/status.ts";
import { pods } from "../api/resources.ts";
import type { Clock } from "../lib/clock.ts";
import { declaredContainers, type ContainerRecord } from "./container-record.ts";
import { readLog } from "./logs/log-reader.ts";
import type { LogStore } from "./logs/log-store.ts";
import type { PodWorker } from "./pod-worker.ts";
import { connectFromHost } from "./runtime/connect.ts";
import type { RunningContainer, Runtime } from "./runtime/runtime.ts";
import { nodeUsageReader } from "./usage/node-usage.ts";

export interface NodeAgentOptions {
  readonly worker: (pod: PodRef) => PodWorker | undefined;
  readonly workers: () => Iterable<PodWorker>;
  readonly runtime: Pick<Runtime, "dial" | "usage">;
  readonly logs: LogStore;
  readonly clock: Clock;
}

export function createNodeAgent({ worker, workers, runtime, logs, clock }: NodeAgentOptions): NodeAgent {
  const workerOf = (pod: PodRef): PodWorker => {
    const found = worker(pod);
    if (found === undefined || (pod.uid !== "" && found.uid !== pod.uid)) throw notFoundError(pods, pod.name);
    return found;
  };
  const usage = nodeUsageReader({ workers, runtime, clock });
  return {
    ...(usage === undefined ? {} : { usage }),
    async logs(pod, options, signal) {
      const found = workerOf(pod);
      const instance = instanceToRead(found, pod, options);
      // The last words of a container that has just ended may still be on their way to disk.
      if (options.previous || found.instance(options.container) === undefined) await found.outputWritten();
      const ref = { ...pod, uid: found.uid };
      const since = sinceTime(options, clock.now());
      const readOptions = { ...options, ...(since === undefined ? {} : { since }) };
      return readLog(logs.fileOf(ref, options.container, instance), logs.writer(ref, options.container, instance), readOptions, signal);
    },
    async exec(pod: PodRef, options: ExecOptions): Promise<ExecSession> {
      return running(workerOf(pod), pod, options.container).exec(options);
    },
    async attach(pod: PodRef, options: AttachOptions): Promise<ExecSession> {
      return running(workerOf(pod), pod, options.container).attach(options);
    },
    async dial(pod, port) {
      const found = workerOf(pod);
      const host = found.podIPs[0];
      if (host === undefined) throw unavailableError(`pod ${pod.name} has no address yet`);
      if (runtime.dial !== undefined) return runtime.dial({ ...pod, uid: found.uid }, port);
      return connectFromHost({ host, port });
    },
  };
}

function running(worker: PodWorker, pod: PodRef, container: string): RunningContainer {
  requireContainer(worker, pod, container);
  const instance = worker.instance(container);
  if (instance === undefined) throw badRequestError(`container ${container} is not running in pod ${pod.name}`);
  return instance.running;
}

function requireContainer(worker: PodWorker, pod: PodRef, container: string): void {
  if (!declaredContainers(worker.pod).some((declared) => declared.container.name === container)) {
    throw badRequestError(`container ${container} is not valid for pod ${pod.name}`);
  }
}

/** The number of the instance whose log is asked for; upstream's texts where there is none. */
function instanceToRead(worker: PodWorker, pod: PodRef, { container, previous }: LogOptions): number {
  requireContainer(worker, pod, container);
  const record = worker.record(container);
  const restarts = record?.restarts ?? 0;
  if (previous) {
    const number = previousInstance(record);
    if (number === undefined)
      throw badRequestError(`previous terminated container ${JSON.stringify(container)} in pod ${JSON.stringify(pod.name)} not found`);
    return number;
  }
  if (record?.running === undefined && record?.exit === undefined) {
    const reason = record?.waiting?.reason ?? "ContainerCreating";
    throw badRequestError(
      `container ${JSON.stringify(container)} in pod ${JSON.stringify(pod.name)} is waiting to start: ${reasonText(record, reason)}`,
    );
  }
  return restarts;
}

function previousInstance(record: ContainerRecord | undefined): number | undefined {
  if (record === undefined) return undefined;
  if (record.running !== undefined) return record.exit === undefined ? undefined : record.restarts - 1;
  // Between two instances the one that ended last is the previous one, as its state is the last state.
  if (record.waiting !== undefined && record.exit !== undefined) return record.restarts;
  return record.earlierExit === undefined ? undefined : record.restarts - 1;
}

function reasonText(record: ContainerRecord | undefined, reason: string): string {
  const pulls: Readonly<Record<string, string>> = {
    ErrImagePull: "image can't be pulled",
    ImagePullBackOff: "trying and failing to pull image",
  };
  return (
    pulls[reason] ?? (reason === "CreateContainerConfigError" && record?.waiting?.message !== undefined ? record.waiting.message : reason)
  );
}

function sinceTime({ sinceSeconds, sinceTime: text }: LogOptions, now: number): number | undefined {
  if (sinceSeconds !== undefined) return now - sinceSeconds * 1000;
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw badRequestError(`invalid sinceTime: ${JSON.stringify(text)}`);
  return time;
}
