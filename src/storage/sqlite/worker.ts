/** The storage worker's entry: opens the file, then answers each batch of writes when it is durable. */
import { parentPort, workerData } from "node:worker_threads";
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import { Database } from "./database.ts";
import { packRows, unpackRows, type FromWorker, type Row, type ToWorker, type WorkerOptions } from "./protocol.ts";

/** What one message of content holds at most, about: some milliseconds of the control thread's time. */
const contentChunkBytes = 1 << 20;
/** A checkpoint waits for a quiet moment from the first size on, and no longer at the second. */
const checkpointBytes = { quiet: 4 << 20, atOnce: 64 << 20 };
const quietMilliseconds = 50;
/** What a row costs in the log beyond its value: a page of its own, if it is in none with its neighbours. */
const logBytesPerRow = 4096;

if (parentPort === null) throw new Error("worker.ts runs as a worker thread");
const port = parentPort;

function send(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

function sendContent(database: Database): void {
  let chunk: Row[] = [];
  let bytes = 0;
  const flush = () => {
    const rows = packRows(chunk);
    send({ kind: "rows", rows }, [rows.buffer]);
    [chunk, bytes] = [[], 0];
  };
  for (const row of database.rows()) {
    chunk.push(row);
    bytes += row.value?.byteLength ?? 0;
    if (bytes > contentChunkBytes) flush();
  }
  if (chunk.length > 0) flush();
}

function serve(database: Database): void {
  let logBytes = 0;
  let timer: NodeJS.Timeout | undefined;

  const checkpoint = () => {
    logBytes = 0;
    try {
      database.checkpoint();
    } catch (error) {
      send({
        kind: "warning",
        message: "the log could not be merged into the file; it is kept and tried again",
        error: errorMessage(error),
      });
    }
  };
  const write = (rows: readonly Row[]) => {
    try {
      database.commit(rows);
      send({ kind: "committed" });
    } catch (error) {
      send({ kind: "rejected", message: errorMessage(error) });
      return;
    }
    logBytes += rows.reduce((sum, row) => sum + (row.value?.byteLength ?? 0) + logBytesPerRow, 0);
    clearTimeout(timer);
    if (logBytes > checkpointBytes.atOnce) setImmediate(checkpoint);
    else if (logBytes > checkpointBytes.quiet) timer = setTimeout(checkpoint, quietMilliseconds);
  };

  port.on("message", (message: ToWorker) => {
    if (message.kind === "write") return write(unpackRows(message.rows));
    clearTimeout(timer);
    database.close();
    send({ kind: "closed" });
    port.close();
  });
}

try {
  const { directory, maxBytes, content } = workerData as WorkerOptions;
  const database = new Database({ directory, maxBytes });
  serve(database);
  if (content) sendContent(database);
  send({ kind: "opened", revision: database.revision });
} catch (error) {
  const known = error instanceof FairleadError ? error : new FairleadError("FL_STORAGE", errorMessage(error));
  send({ kind: "refused", code: known.code, message: known.message, ...(known.hint === undefined ? {} : { hint: known.hint }) });
}
