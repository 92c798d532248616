/** What a pod has before its first container and after its last: an address, and its volumes. */
import { join } from "node:path";
import type { Pod } from "../api/types.ts";
import { isFinishedPhase } from "./compute-pod-actions.ts";
import type { PodFacts } from "./pod-fields.ts";
import type { PodIdentity } from "./runtime/runtime.ts";
import { PodVolumes } from "./volumes/pod-volumes.ts";
import type { WorkerContext } from "./worker-context.ts";

const firstVolumeRetryMs = 500;
const maxVolumeRetryMs = 120_000;
const noAddressRetryMs = 5_000;

/** `retryMs`: when to try again, where something is missing; containers may go on all the same when `usable`. */
export interface SandboxState {
  readonly usable: boolean;
  readonly retryMs?: number;
}

export class PodSandbox {
  readonly volumes: PodVolumes;
  readonly #context: WorkerContext;
  #identity: PodIdentity;
  #volumesReady = false;
  #volumesStale = true;
  #volumeRetryMs = firstVolumeRetryMs;

  constructor(context: WorkerContext, pod: Pod) {
    const { namespace = "", name = "", uid = "" } = pod.metadata;
    this.#context = context;
    this.#identity = { namespace, name, uid, ip: "" };
    this.volumes = new PodVolumes(join(context.podsDirectory, uid));
    const former = pod.status?.podIP;
    if (former !== undefined && !isFinishedPhase(pod.status?.phase) && context.addresses.claim(former, uid))
      this.#identity = { ...this.#identity, ip: former };
  }

  /** With an empty address until `setUp` gave it one. */
  get identity(): PodIdentity {
    return this.#identity;
  }

  get facts(): PodFacts {
    const { machine, hostIPs } = this.#context;
    return { podIP: this.#identity.ip, hostIPs, allocatable: { cpuCores: machine.cpuCores, memoryBytes: machine.memoryBytes } };
  }

  /** Something that the volumes are made of has changed. */
  refreshVolumes(): void {
    this.#volumesStale = true;
  }

  async setUp(pod: Pod): Promise<SandboxState> {
    if (!this.#takeAddress(pod)) return { usable: false, retryMs: noAddressRetryMs };
    if (this.#volumesReady && !this.#volumesStale) return { usable: true };
    this.#volumesStale = false;
    const { recorder, sources } = this.#context;
    const result = await this.volumes.setUp({ pod, facts: this.facts, sources: await sources.load(pod) });
    if (result.kind === "ready") {
      this.#volumesReady = true;
      this.#volumeRetryMs = firstVolumeRetryMs;
      return { usable: true };
    }
    recorder.event(
      pod,
      "Warning",
      "FailedMount",
      `MountVolume.SetUp failed for volume ${JSON.stringify(result.volume)} : ${result.message}`,
    );
    this.#volumesStale = true;
    const retryMs = this.#volumeRetryMs;
    this.#volumeRetryMs = Math.min(retryMs * 2, maxVolumeRetryMs);
    // What runs already keeps the old content.
    return { usable: this.#volumesReady, retryMs };
  }

  releaseAddress(): void {
    this.#context.addresses.release(this.#identity.ip, this.#identity.uid);
  }

  async tearDown(): Promise<void> {
    await this.#context.runtime.removePod(this.#identity);
    await this.volumes.tearDown();
    this.releaseAddress();
  }

  #takeAddress(pod: Pod): boolean {
    if (this.#identity.ip !== "") return true;
    const ip = this.#context.addresses.allocate(this.#identity.uid);
    if (ip === undefined) {
      this.#context.recorder.event(
        pod,
        "Warning",
        "FailedCreatePodSandBox",
        "Failed to create pod sandbox: no address is left in the node's pod CIDR",
      );
      return false;
    }
    this.#identity = { ...this.#identity, ip };
    return true;
  }
}
