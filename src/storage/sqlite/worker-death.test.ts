import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import type { Backend, StoreEvent } from "../backend.ts";
import type { ToWorker } from "./protocol.ts";
import { createSqliteBackend, type SqliteBackendOptions } from "./sqlite-backend.ts";

const made: string[] = [];
const open: Backend[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

type Make = NonNullable<SqliteBackendOptions["worker"]>;
/** What happens to a message on its way to the worker: true lets it pass. */
type Fate = (message: ToWorker, worker: Worker) => boolean;

async function start(fate: Fate) {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-storage-"));
  made.push(directory);
  const workers: Worker[] = [];
  const make: Make = (file, options) => {
    const worker = new Worker(file, options);
    const post = worker.postMessage.bind(worker);
    worker.postMessage = (message: ToWorker, transfer?: ArrayBuffer[]) => {
      if (fate(message, worker)) post(message, transfer ?? []);
    };
    workers.push(worker);
    return worker;
  };
  const backend = createSqliteBackend({ directory, worker: make });
  open.push(backend);
  await backend.open();
  const events: StoreEvent[] = [];
  backend.subscribe((batch) => events.push(...batch));
  return { backend, directory, workers, events };
}

const put = (to: Backend, key: string, expected = 0) => to.write({ key, value: Buffer.from(`value of ${key}`), expect: expected });

async function stored(directory: string): Promise<readonly string[]> {
  const again = createSqliteBackend({ directory });
  open.push(again);
  return (await again.open()).entries.map(({ key, modRevision }) => `${key}@${modRevision}`).sort();
}

test("the batch of a worker that died before it wrote is written by the next one", async () => {
  let deaths = 0;
  const { backend, directory, workers, events } = await start((message, worker) => {
    if (message.kind !== "write" || deaths++ > 0) return true;
    void worker.terminate();
    return false;
  });
  const results = await Promise.all(["/a", "/b", "/c"].map((key) => put(backend, key)));
  expect(results.map((result) => result.kind)).toEqual(["ok", "ok", "ok"]);
  expect([workers.length, events.map((event) => event.revision)]).toEqual([2, [2, 3, 4]]);
  await backend.close();
  expect(await stored(directory)).toEqual(["/a@2", "/b@3", "/c@4"]);
});

test("a batch that a dying worker wrote and did not report is acknowledged, once, and not written again", async () => {
  const { backend, directory, workers, events } = await start(() => true);
  // Its answer is lost: the worker is ended when it was given.
  const [first] = workers as [Worker];
  const receive = first.listeners("message") as ((message: { kind: string }) => void)[];
  first.removeAllListeners("message");
  first.on("message", (message: { kind: string }) => {
    if (message.kind === "committed") void first.terminate();
    else for (const listener of receive) listener(message);
  });
  expect(await put(backend, "/a")).toEqual({ kind: "ok", revision: 2 });
  expect(await put(backend, "/a", 2)).toEqual({ kind: "ok", revision: 3 });
  expect([workers.length, events.map((event) => event.revision)]).toEqual([2, [2, 3]]);
  await backend.close();
  expect(await stored(directory)).toEqual(["/a@3"]);
});

test("a write with which two workers die is refused; the next ones are not", async () => {
  const { backend, directory, workers } = await start((message, worker) => {
    if (message.kind !== "write" || !Buffer.from(message.rows).includes("/poison")) return true;
    void worker.terminate();
    return false;
  });
  await expect(put(backend, "/poison")).rejects.toMatchObject({ code: "FL_STORAGE" });
  expect(await put(backend, "/a")).toMatchObject({ kind: "ok" });
  expect(workers).toHaveLength(3);
  await backend.close();
  expect(await stored(directory)).toEqual(["/a@3"]);
});

test("where every worker dies the store says so and ends", async () => {
  const { backend, workers } = await start((message, worker) => {
    if (message.kind === "write") void worker.terminate();
    return message.kind !== "write";
  });
  const refusals = [];
  for (let i = 0; i < 4; i++) refusals.push(await put(backend, `/${i}`).catch((error: { code: string }) => error.code));
  expect(refusals).toEqual(Array.from({ length: 4 }, () => "FL_STORAGE"));
  expect(workers).toHaveLength(6);
  await backend.close();
});

test("a worker that dies between writes is replaced before anybody notices", async () => {
  const { backend, workers } = await start(() => true);
  expect(await put(backend, "/a")).toMatchObject({ kind: "ok" });
  await (workers[0] as Worker).terminate();
  expect(await put(backend, "/b")).toMatchObject({ kind: "ok" });
  const closing = backend.close();
  await closing;
  expect(workers).toHaveLength(2);
});
