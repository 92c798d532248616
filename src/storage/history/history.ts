/**
 * The past of the objects that decide about traffic: what was there at a moment, and what was written between two. It has its own
 * retention, longer than the window of watches, and nobody waits for it: it is told of a write after the writer was.
 */
import type { Clock, Timer } from "../../lib/clock.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { Backend, Snapshot, StoreEvent } from "../backend.ts";
import { readLines } from "../snapshot/lines.ts";
import type { Segments } from "./segments.ts";
import { readVersion, versionLine, type Version } from "./version.ts";
import { isAfter, type Moment } from "./moment.ts";

export interface HistoryOptions {
  readonly segments: Segments;
  /** Keys begin with one of these; no others are kept. */
  readonly prefixes: readonly string[];
  /** Milliseconds. Default: a day. */
  readonly maxAge?: number;
  /** Of all segments, about. Default: 256 MiB. */
  readonly maxBytes?: number;
  /** A segment is long enough when its changes outweigh the state that it begins with, and this. Default: 4 MiB. */
  readonly segmentBytes?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface PastState {
  readonly revision: number;
  readonly time: number;
  readonly versions: readonly Version[];
}

export interface History {
  /** A backend whose writes are remembered; the rest of it is as it was. */
  around(backend: Backend): Backend;
  /** What was there; undefined: that is longer ago than anything that is kept. */
  at(moment: Moment): Promise<PastState | undefined>;
  /** What was written after one moment, up to and with another; in the order of revisions. */
  between(after: Moment, upTo: Moment): Promise<readonly Version[]>;
}

const dayMs = 86_400_000;
const flushMs = 50;
const defaultSegmentBytes = 4 << 20;
const chunkBytes = 1 << 20;

export function createHistory(options: HistoryOptions): History {
  return new SegmentedHistory(options);
}

class SegmentedHistory implements History {
  readonly #options: HistoryOptions;
  #queue: Buffer[] = [];
  #timer: Timer | undefined;
  /** Everything that touches the segments, one after the other. */
  #work: Promise<void> = Promise.resolve();
  #sizes = new Map<number, number>();
  #current = 0;
  #baseBytes = 0;
  #broken = false;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  around(backend: Backend): Backend {
    return {
      name: backend.name,
      open: async () => {
        const snapshot = await backend.open();
        this.#begin(snapshot);
        backend.subscribe((events) => this.#record(events));
        return snapshot;
      },
      subscribe: (listener) => backend.subscribe(listener),
      write: (request) => backend.write(request),
      close: async () => {
        await backend.close();
        await this.#close();
      },
    };
  }

  async at(moment: Moment): Promise<PastState | undefined> {
    await this.#flushed();
    return moment.kind === "oldest" ? this.#oldest() : this.#stateAt(moment);
  }

  async #oldest(): Promise<PastState | undefined> {
    const [first] = await this.#options.segments.list();
    const versions: Version[] = [];
    if (first === undefined) return undefined;
    for await (const version of this.#versions(first)) {
      if (version.key === "") return { revision: version.revision, time: version.time, versions };
      versions.push(version);
    }
    return undefined;
  }

  async #stateAt(moment: Moment): Promise<PastState | undefined> {
    for (const number of (await this.#options.segments.list()).toReversed()) {
      const state = new Map<string, Version>();
      let last: { readonly revision: number; readonly time: number } | undefined;
      let base = true;
      for await (const version of this.#versions(number)) {
        // What a segment begins with is marked by an empty key.
        if (version.key === "") {
          base = false;
          if (isAfter(version, moment)) break;
          last = version;
          continue;
        }
        if (!base && isAfter(version, moment)) break;
        if (version.value === null) state.delete(version.key);
        else state.set(version.key, version);
        if (!base) last = version;
      }
      if (last !== undefined) return { ...last, versions: [...state.values()] };
    }
    return undefined;
  }

  async between(after: Moment, upTo: Moment): Promise<readonly Version[]> {
    await this.#flushed();
    const found = new Map<string, Version>();
    for (const number of await this.#options.segments.list()) {
      let base = true;
      for await (const version of this.#versions(number)) {
        if (version.key === "") base = false;
        else if (!base && isAfter(version, after) && !isAfter(version, upTo)) found.set(`${version.revision} ${version.key}`, version);
      }
    }
    return [...found.values()].toSorted((a, b) => a.revision - b.revision);
  }

  async *#versions(number: number): AsyncGenerator<Version> {
    for await (const line of readLines(this.#options.segments.read(number))) yield readVersion(line);
  }

  #keeps(key: string): boolean {
    return this.#options.prefixes.some((prefix) => key.startsWith(prefix));
  }

  #begin({ revision, entries }: Snapshot): void {
    const time = this.#options.clock.now();
    const kept = entries.filter(({ key }) => this.#keeps(key));
    const state = kept.map(({ key, value, createRevision, modRevision }) => ({ key, value, createRevision, revision: modRevision, time }));
    this.#then(async () => {
      const numbers = await this.#options.segments.list();
      this.#current = numbers.at(-1) ?? 0;
      // Of how much they hold nothing is known but their number; the bound counts from here on.
      for (const number of numbers) this.#sizes.set(number, 0);
      await this.#nextSegment({ revision, time, versions: state });
    });
  }

  #record(events: readonly StoreEvent[]): void {
    const time = this.#options.clock.now();
    for (const { key, value, createRevision, revision } of events) {
      if (!this.#keeps(key) || this.#broken) continue;
      this.#queue.push(versionLine({ key, value, createRevision, revision, time }));
    }
    if (this.#queue.length > 0) this.#timer ??= this.#options.clock.after(flushMs, () => void this.#flushed());
  }

  /** Resolves when everything that was recorded can be read. */
  #flushed(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    return this.#then(async () => {
      const lines = this.#queue.splice(0);
      if (lines.length === 0) return;
      await this.#append(Buffer.concat(lines));
      if ((this.#sizes.get(this.#current) ?? 0) <= 2 * this.#baseBytes + (this.#options.segmentBytes ?? defaultSegmentBytes)) return;
      // From what is written: to hold all of it in memory for this would cost as much as the API server's own cache.
      const state = await this.#stateAt({ kind: "revision", revision: Number.MAX_SAFE_INTEGER });
      if (state !== undefined) await this.#nextSegment(state);
    });
  }

  async #append(bytes: Buffer): Promise<void> {
    await this.#options.segments.append(bytes);
    this.#sizes.set(this.#current, (this.#sizes.get(this.#current) ?? 0) + bytes.byteLength);
  }

  async #nextSegment({ revision, time, versions }: PastState): Promise<void> {
    this.#current += 1;
    await this.#options.segments.begin(this.#current);
    let lines: Buffer[] = [];
    let size = 0;
    for (const version of versions) {
      const line = versionLine(version);
      lines.push(line);
      if ((size += line.byteLength) < chunkBytes) continue;
      await this.#append(Buffer.concat(lines));
      [lines, size] = [[], 0];
    }
    lines.push(versionLine({ key: "", revision, createRevision: 0, time, value: null }));
    await this.#append(Buffer.concat(lines));
    this.#baseBytes = this.#sizes.get(this.#current) ?? 0;
    await this.#forget();
  }

  /** A segment may go when the one after it begins before everything that must be kept. */
  async #forget(): Promise<void> {
    const { segments, maxAge = dayMs, maxBytes = 256 << 20, clock } = this.#options;
    const numbers = await segments.list();
    for (const [i, number] of numbers.entries()) {
      const next = numbers[i + 1];
      if (next === undefined) return;
      const total = [...this.#sizes.values()].reduce((sum, size) => sum + size, 0);
      if (total <= maxBytes && (await this.#beginOf(next)) > clock.now() - maxAge) return;
      await segments.remove(number);
      this.#sizes.delete(number);
    }
  }

  async #beginOf(number: number): Promise<number> {
    for await (const { key, time } of this.#versions(number)) if (key === "") return time;
    return 0;
  }

  /** A disk that is full costs the history, not the cluster. */
  #then(task: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(async () => {
      if (this.#broken) return;
      try {
        await task();
      } catch (error) {
        this.#broken = true;
        this.#options.log.warn("history is kept no longer", { error: errorMessage(error) });
      }
    });
    return this.#work;
  }

  async #close(): Promise<void> {
    await this.#flushed();
    await this.#then(() => this.#options.segments.close());
    this.#broken = true;
  }
}
