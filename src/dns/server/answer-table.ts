/**
 * Answers as bytes, by the bytes of their question: what was worked out once is sent again with the id patched, for as long as
 * it holds. A hit allocates nothing. An answer leaves when what it shows changes (`tag`), or when its time is over.
 */
import type { ChangeSource, Holds } from "../plugin.ts";
import { rotate, rotationOf, type Rotation } from "./rotation.ts";

export interface TableEntry {
  /** The query from its flags on: the id is not part of the question. */
  readonly key: Uint8Array;
  readonly response: Uint8Array;
  /** Monotonic ms after which it does not hold; Infinity when only a change ends it. */
  readonly until: number;
  readonly tag: string | undefined;
  /** Called for each time it is sent again. */
  readonly count: (() => void) | undefined;
  /** Its addresses may be sent in another order; undefined: they may not, or there is but one. */
  readonly rotation: Rotation | undefined;
  live: boolean;
}

/** What is to be kept of an answer. */
export interface KeptAnswer {
  readonly holds: Holds;
  readonly count?: () => void;
  /** Addresses take turns at the front. */
  readonly rotate?: boolean;
}

/** Where answers that may be sent again are kept. */
export interface AnswerKeeper {
  put(packet: Uint8Array, response: Uint8Array, kept: KeptAnswer, now: number): void;
}

export interface AnswerTableOptions {
  /** Answers kept at most; beyond it all go and the table begins anew. Default 32,768. */
  readonly capacity?: number;
  /** Bytes of all keys and answers. Default 16 MiB. */
  readonly maxBytes?: number;
}

/** The first bytes of a packet that are not part of the question. */
const idBytes = 2;
const maxKeyBytes = 320;

export class AnswerTable implements AnswerKeeper {
  readonly #capacity: number;
  readonly #maxBytes: number;
  readonly #mask: number;
  /** Hash → index in `#entries` + 1; 0: free. Open addressing, never more than half full. */
  readonly #slots: Int32Array;
  #entries: TableEntry[] = [];
  #bytes = 0;
  readonly #byTag = new Map<string, TableEntry[]>();
  readonly #sources = new Map<ChangeSource, () => void>();

  constructor({ capacity = 32_768, maxBytes = 16 << 20 }: AnswerTableOptions = {}) {
    this.#capacity = capacity;
    this.#maxBytes = maxBytes;
    const slots = 2 ** Math.ceil(Math.log2(capacity * 2));
    this.#slots = new Int32Array(slots);
    this.#mask = slots - 1;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** `length`: of the packet. `now`: monotonic ms. The entry's answer has another id: `copyAnswer` it to where it is sent from. */
  find(packet: Uint8Array, length: number, now: number): TableEntry | undefined {
    for (let slot = hash(packet, length) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const index = this.#slots[slot] as number;
      if (index === 0) return undefined;
      const entry = this.#entries[index - 1] as TableEntry;
      if (sameQuestion(entry.key, packet, length)) return entry.live && now < entry.until ? entry : undefined;
    }
  }

  put(packet: Uint8Array, response: Uint8Array, { holds, count, rotate = false }: KeptAnswer, now: number): void {
    if (packet.length > maxKeyBytes) return;
    if (holds.until === "change") this.#follow(holds.source);
    if (this.#entries.length >= this.#capacity || this.#bytes > this.#maxBytes) this.clear();
    const entry: TableEntry = {
      key: Uint8Array.prototype.slice.call(packet, idBytes),
      response,
      until: holds.until === "time" ? now + holds.ms : Number.POSITIVE_INFINITY,
      tag: holds.until === "change" ? holds.tag : undefined,
      count,
      rotation: rotate ? rotationOf(response) : undefined,
      live: true,
    };
    this.#bytes += entry.key.length + response.length;
    this.#place(packet, entry);
    if (entry.tag === undefined) return;
    const tagged = this.#byTag.get(entry.tag);
    if (tagged === undefined) this.#byTag.set(entry.tag, [entry]);
    else tagged.push(entry);
  }

  #place(packet: Uint8Array, entry: TableEntry): void {
    for (let slot = hash(packet, packet.length) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const index = this.#slots[slot] as number;
      if (index === 0) {
        this.#slots[slot] = this.#entries.push(entry);
        return;
      }
      const old = this.#entries[index - 1] as TableEntry;
      if (!sameQuestion(old.key, packet, packet.length)) continue;
      old.live = false;
      this.#bytes -= old.key.length + old.response.length;
      this.#entries[index - 1] = entry;
      return;
    }
  }

  /** What shows `tag` holds no longer; undefined: nothing does that a change can end. */
  drop(tag: string | undefined): void {
    if (tag === undefined) {
      for (const tagged of this.#byTag.values()) for (const entry of tagged) entry.live = false;
      this.#byTag.clear();
      return;
    }
    for (const entry of this.#byTag.get(tag) ?? []) entry.live = false;
    this.#byTag.delete(tag);
  }

  #follow(source: ChangeSource): void {
    if (!this.#sources.has(source))
      this.#sources.set(
        source,
        source.onChange((tag) => this.drop(tag)),
      );
  }

  /** Ends its use: it follows no source any more. */
  close(): void {
    for (const stop of this.#sources.values()) stop();
    this.#sources.clear();
    this.clear();
  }

  clear(): void {
    this.#slots.fill(0);
    this.#entries = [];
    this.#byTag.clear();
    this.#bytes = 0;
  }
}

/** The answer for the packet that asks, into `target`: with the packet's id, and another address in front. Returns its length. */
export function copyAnswer({ response, rotation }: TableEntry, packet: Uint8Array, target: Uint8Array, turn: number): number {
  target.set(response);
  target[0] = packet[0] as number;
  target[1] = packet[1] as number;
  if (rotation !== undefined) rotate(target, rotation, turn);
  return response.length;
}

/** FNV-1a, from behind the id on. Keys are what strangers send: long runs of one slot are bounded by the table's being half empty. */
function hash(bytes: Uint8Array, length: number): number {
  let value = 0x811c9dc5 ^ seed;
  for (let i = idBytes; i < length; i++) value = Math.imul(value ^ (bytes[i] as number), 0x01000193);
  return (value ^ (value >>> 15)) >>> 0;
}

/** Of this process: nobody outside can choose names that share a slot. */
const seed = Math.floor(Math.random() * 2 ** 32);

function sameQuestion(key: Uint8Array, packet: Uint8Array, length: number): boolean {
  if (key.length !== length - idBytes) return false;
  for (let i = 0; i < key.length; i++) if (key[i] !== packet[i + idBytes]) return false;
  return true;
}
