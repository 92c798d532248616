/**
 * What a container sees as its file system: an empty root in memory into which the machine's own programs are bound
 * read-only, and its volumes at the paths that the pod asks for. What is not named here does not exist for it: home
 * directories, keys, other pods' files. Pure, given eyes for the machine's files.
 *
 * A mount needs something to lie upon. Where a path does not exist below a directory of the machine, that directory is
 * replaced by one in memory that binds each of its entries (`unfold`), so nothing is ever written on the machine.
 */
import { join, normalize } from "node:path";
import type { Mount, Owner } from "../../../../host/namespaces/namespaces.ts";

export interface MachineFiles {
  kind(path: string): "directory" | "file" | "link" | "absent";
  list(path: string): readonly string[];
  readLink(path: string): string;
  /** Of a file, in bytes. */
  size(path: string): number;
}

/** What is put somewhere. */
export type Placed =
  | { readonly kind: "bind"; readonly source: string; readonly readOnly: boolean; readonly volume: boolean }
  | { readonly kind: "directory"; readonly mode: number }
  /** A file of the container's own, with the content of the machine's. */
  | { readonly kind: "copy"; readonly source: string; readonly owner?: Owner | undefined }
  /** Own, empty, in memory; also over something of the machine. */
  | { readonly kind: "empty"; readonly mode: number; readonly sizeBytes?: number | undefined }
  | { readonly kind: "link"; readonly to: string }
  | { readonly kind: "proc" };

interface Entry {
  placed: Placed | "inside";
  /** Where its content lies on the machine; undefined: only what `below` holds. */
  source: string | undefined;
  readOnly: boolean;
  volume: boolean;
  below: Map<string, Entry>;
}

const maxLinks = 40;

export class RootPlan {
  readonly #files: MachineFiles;
  readonly #root: Entry;
  readonly #made: { readonly path: string; readonly kind: "directory" | "file" }[] = [];

  constructor(files: MachineFiles, sizeBytes: number) {
    this.#files = files;
    this.#root = ownEntry({ kind: "empty", mode: 0o777, sizeBytes });
  }

  /** Puts something at an absolute path, through the links that are on the way. Throws where a file is in the way. */
  put(path: string, placed: Placed): void {
    this.#put(components(path), placed, 0);
  }

  /** Where on this machine the content of a path lies, with links followed inside the container's own files; undefined: nowhere. */
  locate(path: string): string | undefined {
    return this.#locate(components(path), 0);
  }

  /**
   * In the order in which they are made, the root first. `root`: the directory that becomes `/`. `sealed`: in the end nothing of it can be
   * written but volumes, devices and file systems of a given size (`/dev/shm`).
   */
  mounts(root: string, sealed = false): readonly Mount[] {
    const mounts: Mount[] = [];
    emit(this.#root, root, mounts);
    const own = mounts.filter((mount) => mount.kind === "tmpfs" && (mount.target === root || mount.sizeBytes === undefined));
    return sealed ? [...mounts, ...own.map(({ target }): Mount => ({ kind: "seal", target }))] : mounts;
  }

  /** What must be made on this machine first, inside volumes: places for mounts inside them. */
  get made(): readonly { readonly path: string; readonly kind: "directory" | "file" }[] {
    return this.#made;
  }

  #put(path: readonly string[], placed: Placed, links: number): void {
    if (path.length === 0 && placed.kind !== "directory") throw new Error("nothing can be mounted over /");
    let at = this.#root;
    for (const [i, name] of path.entries()) {
      const last = i === path.length - 1;
      const next = this.#step(at, name);
      const link = next === undefined || (last && placed.kind === "link") ? undefined : this.#linkOf(next);
      if (link !== undefined) return this.#follow(link, path, i, (target) => this.#put(target, placed, links + 1), links);
      if (last) return this.#place(at, name, next, placed);
      at = next ?? this.#make(at, name, { kind: "directory", mode: 0o755 });
    }
  }

  #locate(path: readonly string[], links: number): string | undefined {
    let at = this.#root;
    for (const [i, name] of path.entries()) {
      const next = this.#step(at, name);
      if (next === undefined) return undefined;
      const link = this.#linkOf(next);
      if (link !== undefined) return this.#follow(link, path, i, (target) => this.#locate(target, links + 1), links);
      at = next;
    }
    return at.source;
  }

  #follow<T>(link: string, path: readonly string[], at: number, go: (target: readonly string[]) => T, links: number): T {
    if (links >= maxLinks) throw new Error(`too many levels of symbolic links: /${path.join("/")}`);
    const base = link.startsWith("/") ? "/" : `/${path.slice(0, at).join("/")}`;
    return go([...components(join(base, link)), ...path.slice(at + 1)]);
  }

  #linkOf(entry: Entry): string | undefined {
    if (typeof entry.placed === "object" && entry.placed.kind === "link") return entry.placed.to;
    // Links inside a volume are the volume's: their targets are looked up where they lie.
    if (entry.placed !== "inside" || entry.volume || entry.source === undefined) return undefined;
    return this.#files.kind(entry.source) === "link" ? this.#files.readLink(entry.source) : undefined;
  }

  /** The entry of that name; one of the machine's is taken in when it is first looked at. */
  #step(at: Entry, name: string): Entry | undefined {
    const known = at.below.get(name);
    if (known !== undefined || at.source === undefined) return known;
    const source = join(at.source, name);
    if (this.#files.kind(source) === "absent") return undefined;
    const entry: Entry = { placed: "inside", source, readOnly: at.readOnly, volume: at.volume, below: new Map() };
    at.below.set(name, entry);
    return entry;
  }

  #place(at: Entry, name: string, there: Entry | undefined, placed: Placed): void {
    if (placed.kind === "directory" && there !== undefined) return;
    this.#make(at, name, placed);
  }

  #make(at: Entry, name: string, placed: Placed): Entry {
    if (at.source !== undefined && this.#files.kind(join(at.source, name)) === "absent") {
      if (at.volume) return this.#makeInVolume(at, join(at.source, name), name, placed);
      this.#unfold(at, at.source);
    }
    // Over a file of the machine's own a copy would be written into it.
    const isOver = placed.kind === "copy" && at.source !== undefined;
    const entry = madeEntry(isOver ? { kind: "bind", source: placed.source, readOnly: true, volume: false } : placed);
    at.below.set(name, entry);
    return entry;
  }

  /** As runc makes mount points: in the volume itself. */
  #makeInVolume(at: Entry, path: string, name: string, placed: Placed): Entry {
    const isFile = placed.kind === "bind" && this.#files.kind(placed.source) === "file";
    this.#made.push({ path, kind: isFile ? "file" : "directory" });
    const inside: Entry = { placed: "inside", source: path, readOnly: at.readOnly, volume: true, below: new Map() };
    const entry = placed.kind === "bind" ? boundEntry(placed) : inside;
    at.below.set(name, entry);
    return entry;
  }

  #unfold(at: Entry, source: string): void {
    for (const name of this.#files.list(source)) {
      const known = at.below.get(name);
      if (known !== undefined && known.placed !== "inside") continue;
      const place = join(source, name);
      const entry: Entry = known ?? { placed: "inside", source: place, readOnly: at.readOnly, volume: false, below: new Map() };
      entry.placed =
        this.#files.kind(place) === "link"
          ? { kind: "link", to: this.#files.readLink(place) }
          : { kind: "bind", source: place, readOnly: at.readOnly, volume: false };
      at.below.set(name, entry);
    }
    at.placed = { kind: "empty", mode: 0o755 };
    at.source = undefined;
  }
}

function boundEntry(placed: Extract<Placed, { kind: "bind" }>): Entry {
  return { placed, source: placed.source, readOnly: placed.readOnly, volume: placed.volume, below: new Map() };
}

function madeEntry(placed: Placed): Entry {
  if (placed.kind === "bind") return boundEntry(placed);
  return placed.kind === "copy" ? { ...ownEntry(placed), source: placed.source } : ownEntry(placed);
}

function ownEntry(placed: Placed): Entry {
  return { placed, source: undefined, readOnly: false, volume: false, below: new Map() };
}

function components(path: string): readonly string[] {
  return normalize(`/${path}`)
    .split("/")
    .filter((name) => name !== "");
}

function emit(entry: Entry, target: string, mounts: Mount[]): void {
  const { placed } = entry;
  if (placed !== "inside") mounts.push(mountOf(placed, target));
  for (const [name, below] of entry.below) emit(below, join(target, name), mounts);
}

function mountOf(placed: Placed, target: string): Mount {
  switch (placed.kind) {
    case "bind":
      return { kind: "bind", source: placed.source, target, readOnly: placed.readOnly };
    case "directory":
      return { kind: "directory", target, mode: placed.mode };
    case "copy":
      return { kind: "copy", source: placed.source, target, ...(placed.owner === undefined ? {} : { owner: placed.owner }) };
    case "empty":
      return { kind: "tmpfs", target, mode: placed.mode, ...(placed.sizeBytes === undefined ? {} : { sizeBytes: placed.sizeBytes }) };
    case "link":
      return { kind: "symlink", target, to: placed.to };
    case "proc":
      return { kind: "proc", target };
  }
}
