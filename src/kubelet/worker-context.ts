/** What all pod workers of a node share. */
import type { Pod } from "../api/types.ts";
import type { Client } from "../client/client.ts";
import type { EventRecorder } from "../client/event-recorder.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { PodAddresses } from "./addresses.ts";
import type { BackOffPolicy } from "./back-off.ts";
import type { LogStore } from "./logs/log-store.ts";
import type { KubeletMetrics } from "./metrics.ts";
import type { MachineFacts } from "./node-object.ts";
import type { ObjectSources } from "./object-sources.ts";
import type { Runtime } from "./runtime/runtime.ts";
import type { StatusWriter } from "./status-writer.ts";
import type { PodTokens } from "./volumes/tokens.ts";

export interface WorkerContext {
  readonly client: Client;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Logger;
  readonly recorder: EventRecorder;
  readonly metrics: KubeletMetrics;
  readonly statuses: StatusWriter;
  /** One per family. */
  readonly addresses: readonly PodAddresses[];
  readonly logs: LogStore;
  readonly sources: ObjectSources;
  readonly tokens: PodTokens;
  readonly machine: MachineFacts;
  readonly hostIPs: readonly string[];
  readonly clusterDomain: string;
  /** Where each pod has a directory named by its uid. */
  readonly podsDirectory: string;
  readonly podEnvironment: (pod: Pod, podIP: string) => Readonly<Record<string, string>>;
  /** Between a pod's deletion and its stop signal: the time in which its endpoints leave the proxies. */
  readonly terminationDelayMs: number;
  /** Resolves when nobody sends the pod new connections any more, or after a bounded time. */
  readonly outOfService: ((pod: Pod) => Promise<void>) | undefined;
  readonly backOff: BackOffPolicy;
  /** Between two measurements of what a pod with limits has written, in ms. */
  readonly storagePeriodMs: number;
}
