/** What stands behind an image name where there are no images: programs of this machine. */
import type { Container } from "../../../api/types.ts";
import type { RegistryCredentials } from "../../images/image-source.ts";
import type { Accounts } from "../oci/image-user.ts";
import type { ImageAnswer, PullAnswer } from "../runtime.ts";

/** One image: how its programs are found. */
export interface ImageEntry {
  /** The image's repository without registry, tag and digest: `node`, `library/node`, `fairlead.dev/node`. */
  readonly repositories: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Directories put in front of PATH. */
  readonly path: readonly string[];
  /** Files and directories of this machine that its programs need, beside the system's. */
  readonly needs?: readonly string[];
  /** What the image has of its own: path in the container → file of this machine. */
  readonly files?: Readonly<Record<string, string>>;
  /** What the user should know of it, as a Warning. */
  readonly note?: string;
  /** A real image: its containers have its files as their root, and an OCI runtime runs them. */
  readonly root?: ImageRoot;
}

/** What a real image has beside its words and variables. */
export interface ImageRoot {
  /** Its files, never to be written. */
  readonly directory: string;
  readonly accounts: Accounts;
  /** `app:staff`; empty: root. */
  readonly user: string;
  readonly workingDir: string;
  /** `SIGQUIT`; undefined: the container's, or SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
}

/** Images that are pulled. */
export interface RealImages {
  /** Undefined: not here (yet). */
  find(image: string): ImageEntry | undefined;
  answer(container: Container): ImageAnswer;
  pull(container: Container, credentials: readonly RegistryCredentials[]): Promise<PullAnswer>;
}

/** Only holds a pod's surroundings, for `fairlead run` to join. */
const runRepository = "fairlead.dev/run";

export function isRunImage({ repositories }: ImageEntry): boolean {
  return repositories.includes(runRepository);
}

/** `docker.io/library/node:26@sha256:…` names `node`; other registries keep their name: `fairlead.dev/node`. */
export function imageRepository(image: string): string {
  const withoutDigest = image.split("@")[0] as string;
  const colon = withoutDigest.lastIndexOf(":");
  const repository = colon > withoutDigest.lastIndexOf("/") ? withoutDigest.slice(0, colon) : withoutDigest;
  return repository.replace(/^(?:(?:index\.)?docker\.io\/)?(?:library\/)?/, "");
}

export function findImage(images: readonly ImageEntry[], image: string): ImageEntry | undefined {
  const repository = imageRepository(image);
  return images.find(({ repositories }) => repositories.some((name) => imageRepository(name) === repository));
}

export function answerImage(images: readonly ImageEntry[], container: Container): ImageAnswer {
  const image = container.image ?? "";
  const entry = findImage(images, image);
  if (entry !== undefined) {
    const note = entry.note === undefined ? {} : { note: `container ${container.name}: ${entry.note}` };
    return { kind: "present", imageID: `host://${imageRepository(image)}`, ...note };
  }
  if ((container.command ?? []).length > 0) {
    const program = container.command?.[0] ?? "";
    const note = `container ${container.name}: image ${JSON.stringify(image)} is not used; the command ${JSON.stringify(program)} runs from this machine, for this node runs pods as plain processes`;
    return { kind: "present", imageID: "host://", note };
  }
  const known = images.flatMap(({ repositories }) => repositories).join(", ");
  return {
    kind: "absent",
    message: `no program stands behind image ${JSON.stringify(image)}: this node runs pods as plain processes of this machine and pulls no images (--image-source gives real ones). Set the container's command, or use one of: ${known}`,
  };
}

/** The words that run: `command` replaces the image's entrypoint and its cmd, `args` only its cmd. */
export function commandLine(entry: ImageEntry | undefined, command: readonly string[], args: readonly string[]): readonly string[] {
  if (command.length > 0) return [...command, ...args];
  return [...(entry?.entrypoint ?? []), ...(args.length > 0 ? args : (entry?.cmd ?? []))];
}
