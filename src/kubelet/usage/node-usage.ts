/** What the containers of a node use. A node is as much as its pods: several of them share one machine, whose own load is no node's. */
import type { NodeUsage, PodUsage, ResourceUsage } from "../../api/node-agent.ts";
import type { Clock } from "../../lib/clock.ts";
import { declaredContainers } from "../container-record.ts";
import type { PodWorker } from "../pod-worker.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { UsageMeter } from "./usage-meter.ts";

export interface NodeUsageOptions {
  readonly workers: () => Iterable<PodWorker>;
  readonly runtime: Pick<Runtime, "usage">;
  readonly clock: Clock;
}

/** Undefined where the runtime cannot tell. */
export function nodeUsageReader({ workers, runtime, clock }: NodeUsageOptions): (() => Promise<NodeUsage>) | undefined {
  const read = runtime.usage?.bind(runtime);
  if (read === undefined) return undefined;
  const meter = new UsageMeter(clock);
  return async () => {
    const used = await read();
    meter.keep(new Set(used.keys()));
    let windowMs = 0;
    const pods = [...workers()].flatMap((worker): readonly PodUsage[] => {
      const containers = declaredContainers(worker.pod).flatMap(({ container: { name } }) => {
        const running = worker.record(name)?.running;
        const usage = running === undefined ? undefined : used.get(running.id);
        if (running === undefined || usage === undefined) return [];
        const { windowMs: window, ...rate } = meter.rate(running, usage);
        windowMs = Math.max(windowMs, window);
        return [{ name, usage: rate }];
      });
      const { namespace = "", name = "" } = worker.pod.metadata;
      return containers.length === 0 ? [] : [{ pod: { namespace, name, uid: worker.uid }, containers }];
    });
    return { at: clock.now(), windowMs, node: sum(pods.flatMap(({ containers }) => containers.map(({ usage }) => usage))), pods };
  };
}

function sum(all: readonly ResourceUsage[]): ResourceUsage {
  return {
    cpuNanoCores: all.reduce((total, { cpuNanoCores }) => total + cpuNanoCores, 0),
    memoryBytes: all.reduce((total, { memoryBytes }) => total + memoryBytes, 0),
  };
}
