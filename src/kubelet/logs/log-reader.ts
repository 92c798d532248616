/** Reads a container's log file as `kubectl logs` asks for it: since, tail, limit, timestamps, follow. */
import { open, type FileHandle } from "node:fs/promises";
import type { LogOptions } from "../../api/node-agent.ts";
import { errnoCode } from "../../lib/errors.ts";
import { parseEntry, type LogEntry } from "./log-format.ts";
import type { LogWriter } from "./log-writer.ts";

const chunkBytes = 64 * 1024;
const newline = 10;

export interface ReadLogOptions extends Pick<LogOptions, "follow" | "timestamps" | "tailLines" | "limitBytes"> {
  /** Entries before this time are left out, ms since the epoch. */
  readonly since?: number;
}

/**
 * Pieces of the log in order. With `follow` it goes on until the writer ends or the signal aborts; a writer that is gone
 * (the container's process belongs to the past) ends it at the end of the file.
 */
export async function* readLog(
  file: string,
  writer: LogWriter | undefined,
  options: ReadLogOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  const since = options.since === undefined ? "" : new Date(options.since).toISOString();
  for await (const entry of entries(file, writer, options, signal)) {
    if (entry.time < since) continue;
    const piece = options.timestamps ? Buffer.concat([Buffer.from(`${entry.time} `), entry.text]) : entry.text;
    if (left <= 0) return;
    yield piece.length > left ? piece.subarray(0, left) : piece;
    left -= piece.length;
  }
}

async function* entries(
  file: string,
  writer: LogWriter | undefined,
  options: ReadLogOptions,
  signal: AbortSignal,
): AsyncGenerator<LogEntry> {
  let handle = await openOrWait(file, writer, options.follow, signal);
  if (handle === undefined) return;
  try {
    let rotations = writer?.rotations ?? 0;
    /** The file was moved away: it gets no more lines, but may have got some since the last look. */
    let moved = false;
    let offset = options.tailLines === undefined ? 0 : await tailOffset(handle, options.tailLines);
    const lines = new Lines();
    while (!signal.aborted) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const { bytesRead } = await handle.read(chunk, 0, chunkBytes, offset);
      if (bytesRead > 0) {
        offset += bytesRead;
        for (const line of lines.push(chunk.subarray(0, bytesRead))) yield line;
      } else if (moved) {
        const next = await openOrWait(file, writer, options.follow, signal);
        if (next === undefined) return;
        await handle.close();
        [handle, offset, moved] = [next, 0, false];
      } else if (writer !== undefined && writer.rotations !== rotations) {
        [rotations, moved] = [writer.rotations, true];
      } else if (!options.follow || writer === undefined || writer.ended) {
        return;
      } else if (!(await moreToRead(handle, offset, writer, signal))) {
        return;
      }
    }
  } finally {
    await handle.close();
  }
}

class Lines {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): LogEntry[] {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const found: LogEntry[] = [];
    let start = 0;
    for (let end = data.indexOf(newline); end >= 0; end = data.indexOf(newline, start)) {
      const entry = parseEntry(data.subarray(start, end));
      if (entry !== undefined) found.push(entry);
      start = end + 1;
    }
    this.#rest = Buffer.from(data.subarray(start));
    return found;
  }
}

/** A container that said nothing has no file; with `follow` its first line is waited for. */
async function openOrWait(
  file: string,
  writer: LogWriter | undefined,
  follow: boolean,
  signal: AbortSignal,
): Promise<FileHandle | undefined> {
  for (;;) {
    const change = writer === undefined || !follow ? undefined : nextChange(writer, signal);
    try {
      return await open(file, "r");
    } catch (error) {
      if (errnoCode(error) !== "ENOENT") throw error;
    }
    if (change === undefined || writer?.ended === true || signal.aborted) return undefined;
    await change;
  }
}

/** Waits for more than `offset` bytes; false when the signal aborted. Subscribes before it looks, so no line is missed. */
async function moreToRead(handle: FileHandle, offset: number, writer: LogWriter, signal: AbortSignal): Promise<boolean> {
  const change = nextChange(writer, signal);
  const { size } = await handle.stat();
  if (size <= offset && !writer.ended) await change;
  return !signal.aborted;
}

function nextChange(writer: LogWriter, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stop();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const stop = writer.follow(done);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}

/** Where the last `lines` lines begin, found from the end. */
async function tailOffset(handle: FileHandle, lines: number): Promise<number> {
  const { size } = await handle.stat();
  let end = size;
  let missing = lines + 1;
  while (end > 0) {
    const start = Math.max(0, end - chunkBytes);
    const chunk = Buffer.alloc(end - start);
    await handle.read(chunk, 0, chunk.length, start);
    for (let i = chunk.length - 1; i >= 0; i--) {
      if (chunk[i] === newline && --missing === 0) return start + i + 1;
    }
    end = start;
  }
  return 0;
}
