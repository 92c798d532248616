/** An audit log in a file: appended to, put aside when it is large, readable by its owner alone. */
import { createWriteStream, existsSync, openSync, renameSync, rmSync, statSync, type WriteStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";

export interface FileLogOptions {
  readonly path: string;
  /** Default 100 MiB, as upstream's `--audit-log-maxsize`. */
  readonly maxBytes?: number;
  /** Older files that are kept. Default 10. */
  readonly maxBackups?: number;
  readonly clock: Pick<Clock, "now">;
  readonly log: Logger;
}

export interface FileLog {
  readonly write: (line: string) => void;
  /** Resolves when everything is written. */
  close(): Promise<void>;
}

/** Bytes that may wait for a slow disk; what comes then is lost, and the log says so. */
const maxPending = 16 * 1024 * 1024;

export function createFileLog({ path, maxBytes = 100 * 1024 * 1024, maxBackups = 10, clock, log }: FileLogOptions): FileLog {
  let size = existsSync(path) ? statSync(path).size : 0;
  let stream = open();
  let lost = 0;

  function open(): WriteStream {
    // Opened at once: what waits to be written must go where it belongs, should the file be put aside first.
    const opened = createWriteStream(path, { fd: openSync(path, "a", 0o600) });
    opened.on("error", (error) => log.error("the audit log cannot be written", { path, error: errorMessage(error) }));
    return opened;
  }

  function putAside(): void {
    stream.end();
    renameSync(path, `${path}-${new Date(clock.now()).toISOString().replaceAll(":", "-")}`);
    stream = open();
    size = 0;
    void removeOld(path, maxBackups).catch((error: unknown) => log.warn("old audit logs stay", { path, error: errorMessage(error) }));
  }

  return {
    write(line) {
      if (stream.writableLength > maxPending) {
        if (lost++ === 0) log.error("the audit log is too slow: events are lost", { path });
        return;
      }
      const bytes = Buffer.byteLength(line) + 1;
      if (size > 0 && size + bytes > maxBytes) putAside();
      size += bytes;
      stream.write(`${line}\n`);
    },
    close: () => new Promise((resolve) => stream.end(() => resolve())),
  };
}

/** Their names sort by time. */
async function removeOld(path: string, keep: number): Promise<void> {
  const prefix = `${basename(path)}-`;
  const old = (await readdir(dirname(path))).filter((name) => name.startsWith(prefix)).sort();
  for (const name of old.slice(0, Math.max(0, old.length - keep))) rmSync(join(dirname(path), name), { force: true });
}
