/**
 * Answers as bytes, by the bytes of their question: what was worked out once is sent again with the id patched, for as long as
 * it holds. A hit allocates nothing. An answer leaves when what it shows changes (`tag`), or when its time is over.
 */
import type { ChangeSource, CountAgain, Holds } from "../plugin.ts";
import { hashOf, idBytes } from "./question-hash.ts";
import { age, rotate, rotationOf, ttlOffsets, type Rotation } from "./rotation.ts";

export interface TableEntry {
  /** Holds the question from its flags on (the id is not part of it), and the answer behind it. */
  readonly chunk: Buffer;
  readonly at: number;
  readonly keyLength: number;
  /** Of the answer, in bytes. */
  readonly length: number;
  /** Monotonic ms after which it does not hold; Infinity when only a change ends it. */
  readonly until: number;
  /** TTLs that count down from `second` (monotonic ms) on; undefined: they stay. */
  readonly ttls: readonly number[] | undefined;
  readonly second: number;
  readonly tag: string | undefined;
  /** Called when it was sent again. */
  readonly count: CountAgain | undefined;
  readonly saw: ((client: string, times: number) => void) | undefined;
  readonly watched: boolean;
  /** Its addresses may be sent in another order; undefined: they may not, or there is but one. */
  readonly rotation: Rotation | undefined;
  /** Of who put it; how often it was sent is told by it. */
  readonly id: number;
  /** How often it was sent since somebody asked. */
  times: number;
  live: boolean;
}

/** What is to be kept of an answer. */
export interface KeptAnswer {
  readonly holds: Holds;
  readonly count?: CountAgain;
  /** Addresses take turns at the front. */
  readonly rotate?: boolean;
  /** Called when it was sent again, with the client's address, where somebody watches. */
  readonly saw?: (client: string, times: number) => void;
  /** Somebody watches, in another thread. */
  readonly watched?: boolean;
  /** Default 0. */
  readonly id?: number;
}

/** Where answers that may be sent again are kept. */
export interface AnswerKeeper {
  put(packet: Uint8Array, response: Uint8Array, kept: KeptAnswer, now: number): void;
}

export interface AnswerTableOptions {
  /** Answers kept at most; beyond it all go and the table begins anew. Default 32,768. */
  readonly capacity?: number;
  /** Bytes of all questions and answers, those that no longer hold included. Default 8 MiB. */
  readonly maxBytes?: number;
  /** Called for each that goes, once it holds no longer and its room is needed. */
  readonly leaves?: (entry: TableEntry) => void;
}

const maxKeyBytes = 320;
/** Questions and answers stand in few large buffers: one of its own costs each several times its size. */
const chunkBytes = 64 * 1024;

export class AnswerTable implements AnswerKeeper {
  readonly #capacity: number;
  readonly #maxBytes: number;
  readonly #mask: number;
  readonly #leaves: (entry: TableEntry) => void;
  /** Hash → index in `#entries` + 1; 0: free. Open addressing, never more than half full. */
  readonly #slots: Int32Array;
  #entries: TableEntry[] = [];
  readonly #chunks: Buffer[] = [];
  /** Of the last chunk. */
  #used = chunkBytes;
  readonly #byTag = new Map<string, TableEntry[]>();
  readonly #sources = new Map<ChangeSource, () => void>();

  constructor({ capacity = 32_768, maxBytes = 8 << 20, leaves = () => undefined }: AnswerTableOptions = {}) {
    this.#capacity = capacity;
    this.#maxBytes = maxBytes;
    this.#leaves = leaves;
    const slots = 2 ** Math.ceil(Math.log2(capacity * 2));
    this.#slots = new Int32Array(slots);
    this.#mask = slots - 1;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** `length`: of the packet. `now`: monotonic ms. The entry's answer has another id: `copyAnswer` it to where it is sent from. */
  find(packet: Uint8Array, length: number, now: number): TableEntry | undefined {
    for (let slot = hashOf(packet, length) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const index = this.#slots[slot] as number;
      if (index === 0) return undefined;
      const entry = this.#entries[index - 1] as TableEntry;
      if (sameQuestion(entry, packet, length)) return entry.live && now < entry.until ? entry : undefined;
    }
  }

  entries(): Iterable<TableEntry> {
    return this.#entries;
  }

  put(
    packet: Uint8Array,
    response: Uint8Array,
    { holds, count, saw, watched = false, rotate = false, id = 0 }: KeptAnswer,
    now: number,
  ): void {
    const keyLength = packet.length - idBytes;
    if (keyLength > maxKeyBytes || keyLength + response.length > chunkBytes) return;
    if (holds.until === "change") this.#follow(holds.source);
    if (this.#entries.length >= this.#capacity) this.clear();
    const at = this.#store(packet, response);
    const sinceSecond = holds.until === "time" ? holds.sinceSecond : undefined;
    const entry: TableEntry = {
      chunk: this.#chunks.at(-1) as Buffer,
      at,
      keyLength,
      length: response.length,
      until: holds.until === "time" ? now + holds.ms : Number.POSITIVE_INFINITY,
      ttls: sinceSecond === undefined ? undefined : ttlOffsets(response),
      second: now - (sinceSecond ?? 0),
      tag: holds.until === "change" ? holds.tag : undefined,
      count,
      saw,
      watched,
      rotation: rotate ? rotationOf(response) : undefined,
      id,
      times: 0,
      live: true,
    };
    this.#place(packet, entry);
    if (entry.tag === undefined) return;
    const tagged = this.#byTag.get(entry.tag);
    if (tagged === undefined) this.#byTag.set(entry.tag, [entry]);
    else tagged.push(entry);
  }

  /** Where it begins, in the last chunk. */
  #store(packet: Uint8Array, response: Uint8Array): number {
    const length = packet.length - idBytes + response.length;
    if (this.#used + length > chunkBytes) {
      if (this.#chunks.length * chunkBytes >= this.#maxBytes) this.clear();
      this.#chunks.push(Buffer.allocUnsafeSlow(chunkBytes));
      this.#used = 0;
    }
    const chunk = this.#chunks.at(-1) as Buffer;
    const at = this.#used;
    chunk.set(packet.subarray(idBytes), at);
    chunk.set(response, at + packet.length - idBytes);
    this.#used += length;
    return at;
  }

  #place(packet: Uint8Array, entry: TableEntry): void {
    for (let slot = hashOf(packet, packet.length) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const index = this.#slots[slot] as number;
      if (index === 0) {
        this.#slots[slot] = this.#entries.push(entry);
        return;
      }
      const old = this.#entries[index - 1] as TableEntry;
      if (!sameQuestion(old, packet, packet.length)) continue;
      old.live = false;
      this.#leaves(old);
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
    for (const entry of this.#entries) this.#leaves(entry);
    this.#slots.fill(0);
    this.#entries = [];
    this.#byTag.clear();
    this.#chunks.length = 0;
    this.#used = chunkBytes;
  }
}

/**
 * The answer for the packet that asks, into `target`: with the packet's id, its TTLs as they are `now` (monotonic ms), and another
 * address in front. Returns its length.
 */
export function copyAnswer(entry: TableEntry, packet: Uint8Array, target: Uint8Array, turn: number, now: number): number {
  const { chunk, length, rotation } = entry;
  const from = entry.at + entry.keyLength;
  chunk.copy(target, 0, from, from + length);
  target[0] = packet[0] as number;
  target[1] = packet[1] as number;
  if (entry.ttls !== undefined) {
    const seconds = Math.floor((now - entry.second) / 1000);
    if (seconds > 0) age(target, entry.ttls, seconds);
  }
  if (rotation !== undefined) rotate(target, rotation, turn);
  entry.times++;
  return length;
}

function sameQuestion({ chunk, at, keyLength }: TableEntry, packet: Uint8Array, length: number): boolean {
  if (keyLength !== length - idBytes) return false;
  for (let i = 0; i < keyLength; i++) if (chunk[at + i] !== packet[i + idBytes]) return false;
  return true;
}
