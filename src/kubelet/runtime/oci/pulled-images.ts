/** Real images for a node: whether one is pulled (the pull policy decides), and what its containers are made of. */
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import type { Container } from "../../../api/types.ts";
import { withPlaceBelow } from "../../../host/namespaces/below-root.ts";
import { errorMessage } from "../../../lib/errors.ts";
import type { RegistryCredentials } from "../../images/image-source.ts";
import type { ImageStore, StoredImage } from "../../images/image-store.ts";
import { formatImageReference, parseImageReference } from "../../images/reference.ts";
import type { ImageEntry, ImageRoot, RealImages } from "../process/images.ts";
import type { ImageAnswer, PullAnswer } from "../runtime.ts";

export interface PulledImagesOptions {
  readonly store: ImageStore;
  /** Default 30 minutes. */
  readonly pullTimeoutMs?: number;
}

const defaultPullTimeoutMs = 30 * 60_000;
const mostAccountBytes = 2 ** 20;

export class PulledImages implements RealImages {
  readonly #options: PulledImagesOptions;
  /** One for each image's content: its accounts are read once. */
  readonly #entries = new WeakMap<StoredImage, ImageEntry>();
  /** name and credentials → the pull that is under way */
  readonly #underWay = new Map<string, Promise<PullAnswer>>();

  constructor(options: PulledImagesOptions) {
    this.#options = options;
  }

  find(image: string): ImageEntry | undefined {
    const stored = this.#stored(image);
    if (stored === undefined) return undefined;
    const entry = this.#entries.get(stored) ?? entryOf(stored);
    this.#entries.set(stored, entry);
    return entry;
  }

  answer(container: Container): ImageAnswer {
    const image = container.image ?? "";
    if (parseImageReference(image) === undefined) return invalid(image);
    return decidePull(container, this.#stored(image)?.imageID);
  }

  pull(container: Container, credentials: readonly RegistryCredentials[]): Promise<PullAnswer> {
    const key = JSON.stringify([container.image, credentials]);
    const pulling = this.#underWay.get(key) ?? this.#pull(container.image ?? "", credentials).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, pulling);
    return pulling;
  }

  async #pull(image: string, credentials: readonly RegistryCredentials[]): Promise<PullAnswer> {
    const reference = parseImageReference(image);
    if (reference === undefined) return invalid(image);
    const { store, pullTimeoutMs = defaultPullTimeoutMs } = this.#options;
    try {
      const { imageID, size } = await store.pull(reference, { credentials, signal: AbortSignal.timeout(pullTimeoutMs) });
      return { kind: "present", imageID, size };
    } catch (error) {
      const name = JSON.stringify(formatImageReference(reference));
      return { kind: "absent", message: `failed to pull and unpack image ${name}: ${errorMessage(error)}` };
    }
  }

  #stored(image: string): StoredImage | undefined {
    const reference = parseImageReference(image);
    return reference === undefined ? undefined : this.#options.store.find(reference);
  }
}

/** kubelet: pkg/kubelet/images/image_manager.go `shouldPullImage`. `imageID`: of the image that is here. Pure. */
export function decidePull({ image, imagePullPolicy }: Container, imageID: string | undefined): ImageAnswer {
  if (imagePullPolicy === "Always") return { kind: "pull" };
  if (imageID !== undefined) return { kind: "present", imageID };
  if (imagePullPolicy !== "Never") return { kind: "pull" };
  const message = `Container image ${JSON.stringify(image)} is not present with pull policy of Never`;
  return { kind: "absent", reason: "ErrImageNeverPull", message };
}

function invalid(image: string) {
  const name = JSON.stringify(image);
  const message = `Failed to apply default image tag ${name}: couldn't parse image name ${name}: invalid reference format`;
  return { kind: "absent", reason: "InvalidImageName", message } as const;
}

function entryOf({ config, rootfs }: StoredImage): ImageEntry {
  return { repositories: [], entrypoint: config.entrypoint, cmd: config.cmd, env: config.env, path: [], root: rootOf(config, rootfs) };
}

function rootOf(config: StoredImage["config"], directory: string): ImageRoot {
  const stopSignal = signalOf(config.stopSignal);
  return {
    directory,
    accounts: { passwd: textBelow(directory, "etc/passwd"), group: textBelow(directory, "etc/group") },
    user: config.user,
    workingDir: config.workingDir,
    ...(stopSignal === undefined ? {} : { stopSignal }),
  };
}

/** `SIGQUIT`, `QUIT`, `3`; what is no signal counts as none. */
function signalOf(text: string): NodeJS.Signals | undefined {
  const names = Object.keys(constants.signals) as NodeJS.Signals[];
  return names.find((name) => name === text || name === `SIG${text}` || String(constants.signals[name]) === text);
}

/** Links are followed inside the image only. */
function textBelow(root: string, path: string): string {
  try {
    return withPlaceBelow(root, path, "leave", (place) => readFileSync(place).subarray(0, mostAccountBytes).toString("utf8")) ?? "";
  } catch {
    // A directory, or a link in a circle: as if it were not there.
    return "";
  }
}
