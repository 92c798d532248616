/**
 * Manifests, indexes and configurations of images (OCI image-spec v1.1 manifest.md, image-index.md, config.md; Docker's schema 2 has
 * the same form). They come from strangers: every field that is used is looked at first. Pure.
 */

/** What is written somewhere, and where: by its digest. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  /** In bytes. */
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export type Manifest =
  | { readonly kind: "index"; readonly manifests: readonly Descriptor[] }
  | { readonly kind: "image"; readonly config: Descriptor; readonly layers: readonly Descriptor[] };

export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** Of the form NAME=VALUE; what has another form is left out. */
  readonly env: Readonly<Record<string, string>>;
  /** `app`, `1000:1000`; empty: root. */
  readonly user: string;
  readonly workingDir: string;
  /** `SIGQUIT`, or a number. */
  readonly stopSignal: string;
  /** Of the layers' content without compression, the lowest first. */
  readonly diffIDs: readonly string[];
  readonly platform: Platform;
}

export class ManifestError extends Error {}

/** Docker's own limit is 127. */
const mostLayers = 256;
const mostManifests = 1024;
const indexTypes = new Set(["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"]);
const imageTypes = new Set(["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"]);

/** Of an HTTP request for a manifest. */
export const manifestTypes: readonly string[] = [...indexTypes, ...imageTypes];

/** Throws ManifestError. */
export function parseManifest(text: string): Manifest {
  const value = object(parse(text, "a manifest"), "the manifest");
  if (value["schemaVersion"] !== 2)
    throw new ManifestError(`a manifest of schema version ${JSON.stringify(value["schemaVersion"])}: only 2 is read`);
  const mediaType = value["mediaType"];
  if (Array.isArray(value["manifests"]) && (mediaType === undefined || indexTypes.has(String(mediaType))))
    return { kind: "index", manifests: descriptors(value["manifests"], "manifests", mostManifests) };
  if (!Array.isArray(value["layers"]) || (mediaType !== undefined && !imageTypes.has(String(mediaType))))
    throw new ManifestError(`a manifest of media type ${JSON.stringify(mediaType)} is no image`);
  return {
    kind: "image",
    config: descriptor(value["config"], "config"),
    layers: descriptors(value["layers"], "layers", mostLayers),
  };
}

/** Throws ManifestError. */
export function parseImageConfig(text: string): ImageConfig {
  const value = object(parse(text, "an image's configuration"), "the configuration");
  const config = value["config"] === undefined || value["config"] === null ? {} : object(value["config"], "config");
  const rootfs = object(value["rootfs"], "rootfs");
  return {
    entrypoint: strings(config["Entrypoint"], "config.Entrypoint"),
    cmd: strings(config["Cmd"], "config.Cmd"),
    env: variables(strings(config["Env"], "config.Env")),
    user: string(config["User"], "config.User"),
    workingDir: string(config["WorkingDir"], "config.WorkingDir"),
    stopSignal: string(config["StopSignal"], "config.StopSignal"),
    diffIDs: strings(rootfs["diff_ids"], "rootfs.diff_ids"),
    platform: platformOf(value) ?? { os: "", architecture: "" },
  };
}

/** The platform that this program runs on, in the words of images. */
export function ownPlatform(arch: string = process.arch): Platform {
  const architectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };
  return { os: "linux", architecture: architectures[arch] ?? arch };
}

/** That of an index which this machine can run; the first one of its kind, as containerd takes it. */
export function choosePlatform(manifests: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  const fitting = manifests.filter(({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture);
  // An index of one image need not say for what it is.
  return fitting[0] ?? (manifests.length === 1 && manifests[0]?.platform === undefined ? manifests[0] : undefined);
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ManifestError(`${what} is no JSON`, { cause: error });
  }
}

function descriptors(value: readonly unknown[], field: string, most: number): readonly Descriptor[] {
  if (value.length > most) throw new ManifestError(`${field} has ${value.length} entries; ${most} are read at most`);
  return value.map((one, i) => descriptor(one, `${field}[${i}]`));
}

function descriptor(value: unknown, field: string): Descriptor {
  const { mediaType, digest, size, annotations, platform } = object(value, field);
  if (typeof digest !== "string" || !/^sha256:[a-f0-9]{64}$/.test(digest))
    throw new ManifestError(`${field}.digest ${JSON.stringify(digest)} is no sha256 digest`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    throw new ManifestError(`${field}.size ${JSON.stringify(size)} is no size`);
  const own = platform === undefined ? undefined : platformOf(object(platform, `${field}.platform`));
  return {
    mediaType: string(mediaType, `${field}.mediaType`),
    digest,
    size,
    ...(own === undefined ? {} : { platform: own }),
    ...(annotations === undefined || annotations === null ? {} : { annotations: stringMap(object(annotations, `${field}.annotations`)) }),
  };
}

function platformOf({ os, architecture, variant }: Readonly<Record<string, unknown>>): Platform | undefined {
  if (typeof os !== "string" || typeof architecture !== "string") return undefined;
  return { os, architecture, ...(typeof variant === "string" ? { variant } : {}) };
}

function variables(list: readonly string[]): Readonly<Record<string, string>> {
  const pairs = list
    .filter((text) => text.indexOf("=") > 0)
    .map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]);
  return Object.fromEntries(pairs) as Readonly<Record<string, string>>;
}

function object(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new ManifestError(`${field} is no object`);
  return value as Readonly<Record<string, unknown>>;
}

function strings(value: unknown, field: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string")) throw new ManifestError(`${field} is no list of strings`);
  return value;
}

function string(value: unknown, field: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw new ManifestError(`${field} is no string`);
  return value;
}

function stringMap(value: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}
