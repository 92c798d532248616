/**
 * Lines of a container's log file, in the CRI format: `2026-11-21T09:28:27.045000000Z stdout F text`. `P` marks a piece
 * of a line that goes on in the next entry (kubernetes/design-proposals-archive, node/kubelet-cri-logging.md).
 */

export type LogStream = "stdout" | "stderr";

/** Longer lines are cut into entries of this many bytes, as runtimes do. */
export const maxLineBytes = 16 * 1024;

const newline = 10;

/** Cuts the output of one stream into log entries; keeps what has no newline yet for the next piece. */
export class LineSplitter {
  readonly #stream: LogStream;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: LogStream) {
    this.#stream = stream;
  }

  /** Entries for all complete lines, and for full-sized pieces of an incomplete one. */
  push(chunk: Uint8Array, now: number): Buffer[] {
    const data = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    const entries: Buffer[] = [];
    let start = 0;
    for (;;) {
      const end = data.indexOf(newline, start);
      if (end >= 0 && end - start <= maxLineBytes) {
        entries.push(entry(this.#stream, "F", data.subarray(start, end), now));
        start = end + 1;
      } else if (data.length - start > maxLineBytes) {
        entries.push(entry(this.#stream, "P", data.subarray(start, start + maxLineBytes), now));
        start += maxLineBytes;
      } else {
        break;
      }
    }
    this.#rest = Buffer.from(data.subarray(start));
    return entries;
  }

  /** What was left without a newline when the stream ended. */
  end(now: number): Buffer[] {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return rest.length === 0 ? [] : [entry(this.#stream, "F", rest, now)];
  }
}

function entry(stream: LogStream, tag: "F" | "P", text: Uint8Array, now: number): Buffer {
  const time = `${new Date(now).toISOString().slice(0, 23)}000000Z`;
  return Buffer.concat([Buffer.from(`${time} ${stream} ${tag} `), text, Buffer.from("\n")]);
}

export interface LogEntry {
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly stream: LogStream;
  /** With its newline, unless a piece follows. */
  readonly text: Buffer;
}

/** Reads one line of the file, given without its newline; undefined when it is not one of ours (a torn write). */
export function parseEntry(line: Buffer): LogEntry | undefined {
  const head = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) (stdout|stderr) ([FP]) /.exec(line.subarray(0, 64).toString("latin1"));
  if (head === null) return undefined;
  const text = line.subarray(head[0].length);
  return {
    time: head[1] as string,
    stream: head[2] as LogStream,
    text: head[3] === "F" ? Buffer.concat([text, Buffer.from("\n")]) : text,
  };
}
