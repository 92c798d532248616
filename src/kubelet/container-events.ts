/** What the Events of a pod's containers say, in upstream's words where it has some. */
import type { Container, Pod } from "../api/types.ts";
import type { EventRecorder } from "../client/event-recorder.ts";
import type { Prepared } from "./prepare-container.ts";
import type { ProbeKind } from "./probes/schedule.ts";
import type { ImageAbsent, PodIdentity, Runtime } from "./runtime/runtime.ts";

type ReadyContainer = Extract<Prepared, { kind: "ready" }>;

export class ContainerEvents {
  readonly #recorder: EventRecorder;
  readonly #runtime: Runtime;
  readonly #told = new Set<string>();

  constructor(recorder: EventRecorder, runtime: Runtime) {
    this.#recorder = recorder;
    this.#runtime = runtime;
  }

  /** Said once a pod. */
  ignoredFields(pod: Pod): void {
    if (this.#told.has("ignored")) return;
    const ignored = this.#runtime.ignoredFields(pod);
    if (ignored.length === 0) return;
    const text = ignored.map(({ field, why }) => `${field} (${why})`).join("; ");
    this.#once(pod, "ignored", "Warning", "FieldsIgnored", `without effect on this node: ${text}`);
  }

  /** `pulled`: just now, and told already. */
  prepared(pod: Pod, identity: PodIdentity, container: Container, { imageNote, skipped }: ReadyContainer, pulled: boolean): void {
    const { name, image } = container;
    if (imageNote !== undefined) this.#once(pod, `image ${name}`, "Warning", "ImageNotUsed", imageNote);
    const note = this.#runtime.mountNote?.(identity, container);
    if (note !== undefined) this.#once(pod, `mounts ${name}`, "Normal", "VolumesRelocated", note);
    if (skipped.length > 0) {
      const text = `Keys [${skipped.join(", ")}] of envFrom were skipped since they are considered invalid environment variable names.`;
      this.#once(pod, `skipped ${name}`, "Warning", "InvalidEnvironmentVariableNames", text);
    }
    if (imageNote === undefined && !pulled)
      this.#recorder.event(pod, "Normal", "Pulled", `Container image ${JSON.stringify(image)} already present on machine`);
  }

  started(pod: Pod, { name }: Container): void {
    this.#recorder.event(pod, "Normal", "Created", `Created container: ${name}`);
    this.#recorder.event(pod, "Normal", "Started", `Started container ${name}`);
  }

  killing(pod: Pod, message: string): void {
    this.#recorder.event(pod, "Normal", "Killing", message);
  }

  failed(pod: Pod, message: string): void {
    this.#recorder.event(pod, "Warning", "Failed", `Error: ${message}`);
  }

  pulling(pod: Pod, { image }: Container): void {
    this.#recorder.event(pod, "Normal", "Pulling", `Pulling image ${JSON.stringify(image)}`);
  }

  /** `size` in bytes. */
  pulled(pod: Pod, { image }: Container, ms: number, size: number): void {
    const seconds = `${(ms / 1000).toFixed(3)}s`;
    const text = `Successfully pulled image ${JSON.stringify(image)} in ${seconds} (${seconds} including waiting). Image size: ${size} bytes.`;
    this.#recorder.event(pod, "Normal", "Pulled", text);
  }

  noImage(pod: Pod, { image }: Container, { reason = "ErrImagePull", message }: ImageAbsent): void {
    const isPull = reason === "ErrImagePull";
    const text = isPull ? `Failed to pull image ${JSON.stringify(image)}: ${message}` : message;
    this.#recorder.event(pod, "Warning", isPull ? "Failed" : reason === "InvalidImageName" ? "InspectFailed" : reason, text);
    this.failed(pod, reason);
  }

  imageBackOff(pod: Pod, { image }: Container): void {
    this.#recorder.event(pod, "Normal", "BackOff", `Back-off pulling image ${JSON.stringify(image)}`);
    this.failed(pod, "ImagePullBackOff");
  }

  backOff(pod: Pod, { name }: Container): void {
    const { metadata } = pod;
    const text = `Back-off restarting failed container ${name} in pod ${metadata.name}_${metadata.namespace}(${metadata.uid})`;
    this.#recorder.event(pod, "Warning", "BackOff", text);
  }

  unhealthy(pod: Pod, kind: ProbeKind, message: string): void {
    this.#recorder.event(pod, "Warning", "Unhealthy", `${probeTitle(kind)} probe failed: ${message}`);
  }

  hookFailed(pod: Pod, reason: "FailedPostStartHook" | "FailedPreStopHook", message: string): void {
    this.#recorder.event(pod, "Warning", reason, message);
  }

  /** A bind that failed is told each time, a foreign answer once. */
  portConflict(pod: Pod, message: string, how: "each" | "once"): void {
    if (how === "each") this.#recorder.event(pod, "Warning", "PortConflict", message);
    else this.#once(pod, `conflict ${message}`, "Warning", "PortConflict", message);
  }

  #once(pod: Pod, key: string, type: "Normal" | "Warning", reason: string, message: string): void {
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#recorder.event(pod, type, reason, message);
  }
}

/** `Readiness` */
export function probeTitle(kind: ProbeKind): string {
  return `${kind[0]?.toUpperCase()}${kind.slice(1)}`;
}
