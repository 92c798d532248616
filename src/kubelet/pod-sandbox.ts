/** What a pod has before its first container and after its last: addresses, a network, and its volumes. */
import { join } from "node:path";
import type { Pod } from "../api/types.ts";
import { errorMessage } from "../lib/errors.ts";
import { isFinishedPhase } from "./compute-pod-actions.ts";
import type { PodFacts } from "./pod-fields.ts";
import type { PodIdentity } from "./runtime/runtime.ts";
import { PodVolumes, type SetUpResult, type VolumeOptions } from "./volumes/pod-volumes.ts";
import { loadVolumes } from "./volumes/sources.ts";
import type { WorkerContext } from "./worker-context.ts";

const firstRetryMs = 500;
const maxRetryMs = 120_000;
const noAddressRetryMs = 5_000;
/** What a timer takes at most. */
const maxTimerMs = 2 ** 31 - 1;

/** `retryMs`: when to try again, where something is missing; containers may go on all the same when `usable`. */
export interface SandboxState {
  readonly usable: boolean;
  readonly retryMs?: number;
}

export class PodSandbox {
  readonly volumes: PodVolumes;
  readonly #context: WorkerContext;
  readonly #onHost: boolean;
  #identity: PodIdentity;
  #networkReady = false;
  #volumesReady = false;
  #volumesStale = true;
  #refreshAt = Number.POSITIVE_INFINITY;
  #retryMs = firstRetryMs;

  constructor(context: WorkerContext, pod: Pod) {
    const { namespace = "", name = "", uid = "" } = pod.metadata;
    this.#context = context;
    this.#onHost = pod.spec?.hostNetwork === true && context.runtime.hostNetwork;
    this.#identity = { namespace, name, uid, ip: "", ips: [] };
    this.volumes = new PodVolumes(join(context.podsDirectory, uid), volumeOptions(context, pod, this.#identity));
    const former = isFinishedPhase(pod.status?.phase) ? [] : (pod.status?.podIPs ?? []).map(({ ip }) => ip);
    if (!this.#onHost && former.length > 0) this.#claim(former);
  }

  /** Without addresses until `setUp` gave it some. */
  get identity(): PodIdentity {
    return this.#identity;
  }

  get facts(): PodFacts {
    const { machine, hostIPs } = this.#context;
    return { podIPs: this.#identity.ips, hostIPs, allocatable: { cpuCores: machine.cpuCores, memoryBytes: machine.memoryBytes } };
  }

  /** Something that the volumes are made of has changed. */
  refreshVolumes(): void {
    this.#volumesStale = true;
  }

  async setUp(pod: Pod): Promise<SandboxState> {
    if (!this.#takeAddresses()) {
      this.#failed(pod, "no address is left in the node's pod CIDR");
      return { usable: false, retryMs: noAddressRetryMs };
    }
    if (!(await this.#setUpNetwork(pod))) return { usable: false, retryMs: this.#nextRetry() };
    if (this.#context.clock.now() >= this.#refreshAt) this.#volumesStale = true;
    if (this.#volumesReady && !this.#volumesStale) return this.#untilRefresh();
    return this.#setUpVolumes(pod);
  }

  /** The pod is over but its object stays: its network and addresses are for others, its files remain. */
  async release(): Promise<void> {
    if (this.#identity.ips.length === 0) return;
    if (this.#networkReady) await this.#context.runtime.tearDownPod(this.#identity);
    this.#networkReady = false;
    for (const [i, ip] of this.#identity.ips.entries()) this.#context.addresses[i]?.release(ip, this.#identity.uid);
  }

  async tearDown(): Promise<void> {
    await this.release();
    await this.#context.runtime.removePod(this.#identity);
    await this.volumes.tearDown();
    this.#context.tokens.forget(this.#identity.uid);
  }

  async #setUpNetwork(pod: Pod): Promise<boolean> {
    if (this.#networkReady) return true;
    try {
      const { runtime, recorder } = this.#context;
      for (const { reason, message } of await runtime.setUpPod(this.#identity, pod)) recorder.event(pod, "Warning", reason, message);
      this.#networkReady = true;
      return true;
    } catch (error) {
      this.#failed(pod, errorMessage(error));
      return false;
    }
  }

  async #setUpVolumes(pod: Pod): Promise<SandboxState> {
    this.#volumesStale = false;
    const result = await this.#writeVolumes(pod);
    if (result.kind === "ready") {
      this.#volumesReady = true;
      this.#retryMs = firstRetryMs;
      return this.#untilRefresh();
    }
    const text = `MountVolume.SetUp failed for volume ${JSON.stringify(result.volume)} : ${result.message}`;
    this.#context.recorder.event(pod, "Warning", "FailedMount", text);
    this.#volumesStale = true;
    // What runs already keeps the old content.
    return { usable: this.#volumesReady, retryMs: this.#nextRetry() };
  }

  async #writeVolumes(pod: Pod): Promise<SetUpResult> {
    const { client, tokens, sources } = this.#context;
    try {
      const loaded = await loadVolumes(pod, { client, tokens, objects: (of) => sources.load(of) });
      this.#refreshAt = loaded.refreshAt ?? Number.POSITIVE_INFINITY;
      return await this.volumes.setUp({ pod, facts: this.facts, sources: loaded.sources });
    } catch (error) {
      const volume = pod.spec?.volumes?.find(({ projected }) => projected !== undefined)?.name ?? "";
      return { kind: "failed", volume, message: `failed to fetch token: ${errorMessage(error)}` };
    }
  }

  /** Tokens in files are replaced before they end: the pod is looked at again then. */
  #untilRefresh(): SandboxState {
    const ms = this.#refreshAt - this.#context.clock.now();
    return { usable: true, ...(Number.isFinite(ms) ? { retryMs: Math.min(Math.max(ms, 1), maxTimerMs) } : {}) };
  }

  #nextRetry(): number {
    const retryMs = this.#retryMs;
    this.#retryMs = Math.min(retryMs * 2, maxRetryMs);
    return retryMs;
  }

  #failed(pod: Pod, why: string): void {
    this.#context.recorder.event(pod, "Warning", "FailedCreatePodSandBox", `Failed to create pod sandbox: ${why}`);
  }

  /** Keeps the addresses of a former run, all of them or none. */
  #claim(former: readonly string[]): void {
    const { addresses } = this.#context;
    const { uid } = this.#identity;
    const claimed = addresses.map((pool, i) => former[i] !== undefined && pool.claim(former[i], uid));
    if (claimed.every(Boolean)) this.#identity = { ...this.#identity, ip: former[0] as string, ips: former.slice(0, addresses.length) };
    else for (const [i, ip] of former.entries()) if (claimed[i] === true) addresses[i]?.release(ip, uid);
  }

  #takeAddresses(): boolean {
    if (this.#identity.ips.length > 0) return true;
    const { addresses, hostIPs } = this.#context;
    const { uid } = this.#identity;
    const ips = this.#onHost ? hostIPs : addresses.map((pool) => pool.allocate(uid));
    if (ips.every((ip) => ip !== undefined)) {
      this.#identity = { ...this.#identity, ip: ips[0] ?? "", ips };
      return true;
    }
    for (const [i, ip] of ips.entries()) if (ip !== undefined) addresses[i]?.release(ip, uid);
    return false;
  }
}

function volumeOptions({ runtime }: WorkerContext, pod: Pod, identity: PodIdentity): VolumeOptions {
  const group = runtime.setsGroups === true ? pod.spec?.securityContext?.fsGroup : undefined;
  return {
    ...(group === undefined ? {} : { group }),
    ...(runtime.mountMemory === undefined
      ? {}
      : { mountMemory: (directory, sizeBytes) => runtime.mountMemory?.(identity, directory, sizeBytes) }),
  };
}
