/** Where images come from. The contract: a source gives what it has and decides nothing; whoever asks compares digests and sizes. */
import type { Descriptor } from "./manifest.ts";
import type { ImageReference } from "./reference.ts";

/** For a registry that wants to know who asks. */
export interface RegistryCredentials {
  /** `registry.example:5000`, `registry.example/team`. */
  readonly scope: string;
  readonly username: string;
  readonly password: string;
}

export interface ResolveOptions {
  readonly signal: AbortSignal;
  readonly credentials: readonly RegistryCredentials[];
}

export interface ImageSource {
  /** For messages: `the registry`, `the archive /srv/app.tar`. */
  readonly name: string;
  /** Undefined: it has no image of that name. Rejects where that cannot be found out. */
  resolve(reference: ImageReference, options: ResolveOptions): Promise<ResolvedImage | undefined>;
}

/** An image's name led to this manifest or index. */
export interface ResolvedImage {
  readonly top: Descriptor;
  /** Of a manifest or index; at most `mostManifestBytes`. */
  manifest(descriptor: Descriptor): Promise<Buffer>;
  /** Of a configuration or layer, as it comes. */
  blob(descriptor: Descriptor): AsyncIterable<Uint8Array>;
}

export const mostManifestBytes = 4 * 2 ** 20;

/** What cannot be had, in words for the container's status. */
export class ImageSourceError extends Error {}
