/** The pulls of one pod's images that are under way, and the pause after one that failed. */
import type { Container, Pod } from "../api/types.ts";
import type { BackOffPolicy } from "./back-off.ts";
import type { ContainerEvents } from "./container-events.ts";
import type { RegistryCredentials } from "./images/image-source.ts";
import type { PullAnswer, Runtime } from "./runtime/runtime.ts";
import type { Clock } from "../lib/clock.ts";

export interface ImagePullsOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly events: ContainerEvents;
  readonly backOff: BackOffPolicy;
  /** A pull has come to its end. */
  readonly changed: (container: string) => void;
}

export class ImagePulls {
  readonly #options: ImagePullsOptions;
  readonly #underWay = new Set<string>();
  /** container → what came of it, until it is started or fails for good */
  readonly #answers = new Map<string, PullAnswer>();
  /** container → the pause before its image is looked for again, in ms */
  readonly #pauses = new Map<string, number>();

  constructor(options: ImagePullsOptions) {
    this.#options = options;
  }

  /** Takes what came of the last pull of its image; undefined: there was none since. */
  take(container: string): PullAnswer | undefined {
    const answer = this.#answers.get(container);
    this.#answers.delete(container);
    return answer;
  }

  begin(container: Container, pod: Pod, credentials: readonly RegistryCredentials[]): void {
    const { runtime, events } = this.#options;
    if (this.#underWay.has(container.name)) return;
    this.#underWay.add(container.name);
    events.pulling(pod, container);
    void this.#pull(runtime, container, pod, credentials);
  }

  /** Milliseconds until it is tried again: longer each time. */
  nextPause(container: string): number {
    const { initialMs, maxMs } = this.#options.backOff;
    const pauseMs = Math.min(this.#pauses.get(container) ?? initialMs, maxMs);
    this.#pauses.set(container, pauseMs * 2);
    return pauseMs;
  }

  async #pull(runtime: Runtime, container: Container, pod: Pod, credentials: readonly RegistryCredentials[]): Promise<void> {
    const { clock, events, changed } = this.#options;
    const from = clock.monotonic();
    const answer = (await runtime.pull?.(container, credentials)) ?? { kind: "absent" as const, message: "this runtime pulls no images" };
    this.#underWay.delete(container.name);
    this.#answers.set(container.name, answer);
    if (answer.kind === "present") events.pulled(pod, container, clock.monotonic() - from, answer.size);
    changed(container.name);
  }
}
