/**
 * Writes pod statuses to the API: one write a pod at a time, always the newest status, only when it differs from what was
 * written last. A patch, so that conditions of others (readiness gates) stay; the uid in it makes sure that the status of a
 * pod never lands on its successor of the same name (upstream pkg/kubelet/status/status_manager.go).
 */
import { isNotFound } from "../api/status.ts";
import type { Pod, PodStatus } from "../api/types.ts";
import { pods } from "../api/resources.ts";
import type { Client } from "../client/client.ts";
import { sleep, type Clock } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";

const maxPauseMs = 5000;

export interface StatusWriterOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Entry {
  readonly pod: Pod;
  wanted: PodStatus;
  written: PodStatus | undefined;
  /** Of the object after our last write. */
  version: string;
  writing: Promise<void> | undefined;
}

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #stop = new AbortController();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** Returns at once; the write follows. */
  set(pod: Pod, status: PodStatus): void {
    const uid = pod.metadata.uid ?? "";
    let entry = this.#entries.get(uid);
    if (entry === undefined)
      this.#entries.set(uid, (entry = { pod, wanted: status, written: pod.status, version: "", writing: undefined }));
    if (entry.writing === undefined && same(status, entry.written)) return;
    entry.wanted = status;
    entry.writing ??= this.#write(uid, entry);
  }

  /**
   * The API has this now. Where somebody wrote another verdict over ours (the node was thought dead), ours is written again
   * (upstream `needsReconcile`). What is older than our last write is only late.
   */
  observe(pod: Pod): void {
    const uid = pod.metadata.uid ?? "";
    const entry = this.#entries.get(uid);
    if (entry === undefined || entry.writing !== undefined) return;
    if (!isNewer(pod.metadata.resourceVersion, entry.version) || sameVerdicts(pod.status, entry.wanted)) return;
    entry.written = pod.status;
    entry.writing = this.#write(uid, entry);
  }

  /** Resolves when the newest status of the pod is written, or the pod is gone. */
  async flush(uid: string): Promise<void> {
    await this.#entries.get(uid)?.writing;
  }

  forget(uid: string): void {
    this.#entries.delete(uid);
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    await Promise.all([...this.#entries.values()].map(({ writing }) => writing));
  }

  async #write(uid: string, entry: Entry): Promise<void> {
    let pauseMs = 50;
    do {
      const status = entry.wanted;
      try {
        entry.version = await this.#patch(entry.pod, status, entry.written);
        entry.written = status;
        pauseMs = 50;
      } catch (error) {
        if (isNotFound(error)) break;
        this.#options.log.warn("a pod's status is not written yet", { pod: podName(entry.pod), error: errorMessage(error) });
        await sleep(this.#options.clock, pauseMs, this.#stop.signal).catch(() => undefined);
        pauseMs = Math.min(pauseMs * 2, maxPauseMs);
      }
    } while (!same(entry.wanted, entry.written) && this.#entries.get(uid) === entry && !this.#stop.signal.aborted);
    entry.writing = undefined;
  }

  async #patch({ metadata: { namespace, name = "", uid } }: Pod, status: PodStatus, old: PodStatus | undefined): Promise<string> {
    const patch = { metadata: { uid }, status: statusPatch(status, old) };
    const ref = { namespace, name };
    const written = await this.#options.client.patch(pods, ref, "application/strategic-merge-patch+json", patch, { subresource: "status" });
    return written.metadata.resourceVersion ?? "";
  }
}

/** The whole status, with what is no more set to null, and lists that merge by key replaced where they lost an element. */
export function statusPatch(status: PodStatus, old: PodStatus | undefined): Readonly<Record<string, unknown>> {
  const gone = ["reason", "message", "podIP", "podIPs", "initContainerStatuses"] as const;
  const nulls = gone.filter((key) => status[key] === undefined && old?.[key] !== undefined).map((key) => [key, null]);
  const replaced = (["podIPs", "hostIPs"] as const)
    .filter((key) => status[key] !== undefined && old?.[key]?.some(({ ip }) => !status[key]?.some((kept) => kept.ip === ip)) === true)
    .map((key) => [key, [{ $patch: "replace" }, ...(status[key] ?? [])]]);
  const conditions = status.conditions?.map((condition) => withoutStaleText(condition, old));
  return { ...status, ...(conditions === undefined ? {} : { conditions }), ...Object.fromEntries([...nulls, ...replaced]) };
}

type Condition = NonNullable<PodStatus["conditions"]>[number];

function withoutStaleText(condition: Condition, old: PodStatus | undefined): object {
  const before = old?.conditions?.find(({ type }) => type === condition.type);
  const stale = (["reason", "message"] as const).filter((key) => condition[key] === undefined && before?.[key] !== undefined);
  return stale.length === 0 ? condition : { ...condition, ...Object.fromEntries(stale.map((key) => [key, null])) };
}

/** Versions count upwards (KEP-5504). */
function isNewer(version: string | undefined, than: string): boolean {
  return /^\d+$/.test(version ?? "") && /^\d+$/.test(than) && BigInt(version as string) > BigInt(than);
}

const ownConditions: ReadonlySet<string> = new Set(["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"]);

function sameVerdicts(found: PodStatus | undefined, own: PodStatus): boolean {
  const stateOf = (type: string) => found?.conditions?.find((condition) => condition.type === type)?.status;
  const same = (own.conditions ?? []).every(({ type, status }) => !ownConditions.has(type) || stateOf(type) === status);
  return same && found?.phase === own.phase;
}

function same(a: PodStatus, b: PodStatus | undefined): boolean {
  return b !== undefined && JSON.stringify(a) === JSON.stringify(b);
}

function podName({ metadata }: Pod): string {
  return `${metadata.namespace}/${metadata.name}`;
}
