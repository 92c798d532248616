/**
 * Lines to a file or to standard output, gathered for a moment and written together. The file is opened for each write, so that it may be
 * renamed at any time (logrotate without a signal), with mode 0600. What cannot be written in time is dropped and counted: a full disk must
 * not stop requests.
 */
import { appendFile } from "node:fs/promises";
import type { Clock, Timer } from "../lib/clock.ts";

export interface LogFileOptions {
  readonly clock: Clock;
  /** `-`: standard output. */
  readonly path: string;
  /** So many lines were not written. */
  readonly dropped: (lines: number, why: string) => void;
}

const gatherMs = 200;
const mostBytes = 4 << 20;

export class LogFile {
  readonly #options: LogFileOptions;
  #lines: string[] = [];
  #bytes = 0;
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: LogFileOptions) {
    this.#options = options;
  }

  write(line: string): void {
    if (this.#bytes + line.length > mostBytes) return this.#options.dropped(1, "lines come faster than they can be written");
    this.#lines.push(line);
    this.#bytes += line.length;
    this.#timer ??= this.#options.clock.after(gatherMs, () => void this.flush());
  }

  /** Resolves when all that was given is written, or dropped. */
  flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#append());
    return this.#writing;
  }

  async #append(): Promise<void> {
    const lines = this.#lines.splice(0);
    if (lines.length === 0) return;
    const text = lines.join("");
    try {
      if (this.#options.path === "-") await new Promise<void>((done) => process.stdout.write(text, () => done()));
      else await appendFile(this.#options.path, text, { mode: 0o600 });
    } catch (error) {
      this.#options.dropped(lines.length, (error as Error).message);
    } finally {
      this.#bytes -= text.length;
    }
  }
}
