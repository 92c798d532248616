/**
 * Appends a container's output to its log file (mode 0600), made on the first line. Writes are gathered: one is under
 * way at a time, whatever comes meanwhile goes with the next. At 10 MiB the file is moved to `<file>.1` and a new one begun,
 * so a container's log takes at most twice that.
 */
import { mkdir, open, rename, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { LineSplitter, type LogStream } from "./log-format.ts";

export const maxLogFileBytes = 10 * 1024 * 1024;
const maxQueuedBytes = 1024 * 1024;

export interface LogWriterOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly maxBytes?: number;
}

export class LogWriter {
  readonly file: string;
  readonly #options: LogWriterOptions;
  readonly #splitters = { stdout: new LineSplitter("stdout"), stderr: new LineSplitter("stderr") };
  readonly #followers = new Set<() => void>();
  #queue: Buffer[] = [];
  #queued = 0;
  #size = 0;
  #handle: FileHandle | undefined;
  #writing: Promise<void> | undefined;
  #rotations = 0;
  #ended = false;
  #tail = "";

  constructor(options: LogWriterOptions) {
    this.file = options.file;
    this.#options = options;
  }

  /** How often a full file was moved away. */
  get rotations(): number {
    return this.#rotations;
  }

  /** No more will come, and all is in the file. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The last few kilobytes of standard error, for the diagnosis of a failed start. */
  get errorTail(): string {
    return this.#tail;
  }

  /** Takes output. A promise comes back when the disk is behind: the source waits for it before it gives more. */
  write(stream: LogStream, chunk: Uint8Array): Promise<void> | undefined {
    if (stream === "stderr") this.#tail = `${this.#tail}${Buffer.from(chunk).toString("utf8")}`.slice(-4096);
    this.#add(this.#splitters[stream].push(chunk, this.#options.clock.now()));
    return this.#queued > maxQueuedBytes ? this.#writing : undefined;
  }

  /** Writes what is left and closes the file. */
  async end(): Promise<void> {
    const now = this.#options.clock.now();
    this.#add([...this.#splitters.stdout.end(now), ...this.#splitters.stderr.end(now)]);
    while (this.#writing !== undefined) await this.#writing;
    await this.#handle?.close();
    this.#handle = undefined;
    this.#ended = true;
    this.#notify();
  }

  /** Calls `listener` whenever there is more to read, or no more will come. Gives the way to stop. */
  follow(listener: () => void): () => void {
    this.#followers.add(listener);
    return () => this.#followers.delete(listener);
  }

  #add(entries: readonly Buffer[]): void {
    if (entries.length === 0) return;
    for (const entry of entries) {
      this.#queue.push(entry);
      this.#queued += entry.length;
    }
    this.#writing ??= this.#drain();
  }

  async #drain(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        const batch = Buffer.concat(this.#queue);
        this.#queue = [];
        this.#queued = 0;
        if (this.#size > 0 && this.#size + batch.length > (this.#options.maxBytes ?? maxLogFileBytes)) await this.#rotate();
        this.#handle ??= await this.#open();
        await this.#handle.writeFile(batch);
        this.#size += batch.length;
        this.#notify();
      }
    } catch (error) {
      // A full disk must not stop the container: what cannot be written is lost, and said.
      this.#options.log.error("a container's output is lost", { file: this.file, error: errorMessage(error) });
    } finally {
      this.#writing = undefined;
    }
    if (this.#queue.length > 0) this.#writing = this.#drain();
  }

  async #open(): Promise<FileHandle> {
    await mkdir(dirname(this.file), { recursive: true, mode: 0o700 });
    const handle = await open(this.file, "a", 0o600);
    this.#size = (await handle.stat()).size;
    return handle;
  }

  async #rotate(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    await rename(this.file, `${this.file}.1`);
    this.#size = 0;
    this.#rotations += 1;
  }

  #notify(): void {
    for (const listener of this.#followers) listener();
  }
}
