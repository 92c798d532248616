/**
 * What every controller is given and what it is. A controller is a folder: `controller.ts` says which informers it
 * watches and which keys a change concerns; `reconcile.ts` is pure and says what should be written and why;
 * `finalize.ts` writes it. Whoever composes the program starts the informers, after the controllers were created.
 */
import type { Client } from "../client/client.ts";
import type { EventRecorder } from "../client/event-recorder.ts";
import type { InformerFactory } from "../client/informer.ts";
import type { Component } from "../component/component.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";

export interface ControllerOptions {
  /** Most endpoints in one EndpointSlice. Default 100, as upstream's `--max-endpoints-per-slice`. */
  readonly maxEndpointsPerSlice?: number;
  /** Milliseconds that changes of pods are gathered before endpoints are written. Default 0, as upstream's `--endpoint-updates-batch-period`. */
  readonly endpointUpdatesBatchPeriod?: number;
  /** Most addresses of an Endpoints subset that are mirrored. Default 1000, as upstream's `--mirroring-max-endpoints-per-subset`. */
  readonly mirroringMaxEndpointsPerSubset?: number;
  /** The cluster's CA in PEM; with it every namespace gets the ConfigMap `kube-root-ca.crt`. */
  readonly rootCA?: string;
  /** Milliseconds without a sign of life after which a node counts as gone. Default 50,000, as upstream's `--node-monitor-grace-period`. */
  readonly nodeMonitorGracePeriod?: number;
  /** Ranges of the cluster's Services, for the ServiceCIDR `kubernetes`. Default: none, and no such object. */
  readonly serviceClusterIPRanges?: readonly string[];
  /** Where PersistentVolumes of the StorageClass `standard` are made. Default: nowhere, and there is no such class. */
  readonly volumeDirectory?: string;
  /** Removes the directory of a volume whose claim is gone. Default: it stays. */
  readonly removeVolumeDirectory?: (path: string) => Promise<void>;
  /** Milliseconds that an Event is kept after it was last seen. Default one hour, as upstream's `--event-ttl`. */
  readonly eventTtl?: number;
  /** Finished pods kept at most. Default 12500, as upstream's `--terminated-pod-gc-threshold`. */
  readonly terminatedPodThreshold?: number;
  /** Where Services of type LoadBalancer get their addresses from. Absent: nowhere, they stay `<pending>`. */
  readonly loadBalancer?: { readonly cidrs: readonly string[]; readonly ipMode: "VIP" | "Proxy" };
}

export interface ControllerContext {
  readonly client: Client;
  readonly informers: InformerFactory;
  /** A recorder whose Events come from `component`: `replicaset-controller`. */
  readonly recorder: (component: string) => EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where the queues' metrics go (`workqueue_depth` …). */
  readonly metrics?: MetricsRegistry;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly options: ControllerOptions;
}

export interface ControllerEntry {
  /** Unique; the name that `--disable` takes and the prefix of the log. */
  readonly name: string;
  create(context: ControllerContext): Component;
}
