import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, test } from "vitest";
import { backendCases } from "../backend.cases.ts";
import type { Backend, Entry, Snapshot } from "../backend.ts";
import { restoreInto } from "./restore.ts";
import { createSqliteBackend } from "./sqlite-backend.ts";

const made: string[] = [];
const open: Backend[] = [];

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "fairlead-storage-"));
  made.push(path);
  return join(path, "store");
}

function backend(options: Parameters<typeof createSqliteBackend>[0]): Backend {
  const one = createSqliteBackend(options);
  open.push(one);
  return one;
}

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

const put = (to: Backend, key: string, size = 10, expected = 0) =>
  to.write({ key, value: new Uint8Array(size).fill(120), expect: expected });

backendCases("sqlite", () => {
  const path = directory();
  return {
    backend: createSqliteBackend({ directory: path }),
    reopen: () => createSqliteBackend({ directory: path }),
    restored: (snapshot) => {
      const other = directory();
      restoreInto({ directory: other }, snapshot);
      return createSqliteBackend({ directory: other });
    },
  };
});

describe("the data directory", () => {
  test("is its owner's alone", async () => {
    const path = directory();
    const one = backend({ directory: path });
    await one.open();
    await put(one, "/a");
    expect((statSync(path).mode & 0o777).toString(8)).toBe("700");
    for (const file of ["store.db", "store.db-wal", "pid"]) expect((statSync(join(path, file)).mode & 0o777).toString(8), file).toBe("600");
  });

  test("a second user is refused and told the holder; the first goes on", async () => {
    const path = directory();
    const one = backend({ directory: path });
    await one.open();
    await expect(backend({ directory: path }).open()).rejects.toMatchObject({
      code: "FL_STORAGE_LOCKED",
      message: expect.stringContaining(`(pid ${process.pid})`) as string,
    });
    // The refused one must not have dropped the first one's lock when it closed its files.
    await expect(backend({ directory: path }).open()).rejects.toMatchObject({ code: "FL_STORAGE_LOCKED" });
    const other = spawn(process.execPath, [join(import.meta.dirname, "crash-writer.ts"), path, "other"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    other.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const code = await new Promise((resolve) => other.on("close", resolve));
    expect([code, said]).toEqual([1, expect.stringContaining("FL_STORAGE_LOCKED")]);
    expect(await put(one, "/a")).toMatchObject({ kind: "ok" });
  });

  test("a pid file that a dead process left locks nobody out", async () => {
    const path = directory();
    const one = backend({ directory: path });
    await one.open();
    await one.close();
    writeFileSync(join(path, "pid"), `${process.pid}\n`);
    await expect(backend({ directory: path }).open()).resolves.toMatchObject({ revision: 1 });
  });

  test.each([
    ["PRAGMA user_version = 7", "FL_STORAGE_SCHEMA", "schema version 7"],
    ["PRAGMA application_id = 1", "FL_STORAGE_SCHEMA", "another program"],
  ])("%s: another writer's file is refused", async (sql, code, message) => {
    const path = directory();
    const one = backend({ directory: path });
    await one.open();
    await one.close();
    const file = new DatabaseSync(join(path, "store.db"));
    file.exec(sql);
    file.close();
    await expect(backend({ directory: path }).open()).rejects.toMatchObject({ code, message: expect.stringContaining(message) as string });
  });

  test("a file that is no database is refused and left as it is", async () => {
    const path = directory();
    const one = backend({ directory: path });
    await one.open();
    await one.close();
    writeFileSync(join(path, "store.db"), "nothing that SQLite wrote ".repeat(100));
    const again = backend({ directory: path });
    await expect(again.open()).rejects.toMatchObject({ code: "FL_STORAGE" });
    await expect(put(again, "/a")).rejects.toMatchObject({ code: "FL_STORAGE" });
    expect(statSync(join(path, "store.db")).size).toBe(2600);
  });

  test("a place that cannot be made is an error with its path", async () => {
    const path = directory();
    writeFileSync(path, "");
    await expect(backend({ directory: join(path, "below") }).open()).rejects.toMatchObject({
      code: "FL_STORAGE",
      message: expect.stringContaining(path) as string,
    });
    chmodSync(path, 0o600);
  });
});

test("a snapshot replaces only what nobody uses, and objects only when told to", async () => {
  const path = directory();
  const snapshot: Snapshot = {
    revision: 100,
    entries: [{ key: "/new", value: Buffer.from("{}"), createRevision: 4, modRevision: 9 }],
  };
  const one = backend({ directory: path });
  await one.open();
  await put(one, "/old");
  expect(() => restoreInto({ directory: path, replace: true }, snapshot)).toThrow(expect.objectContaining({ code: "FL_STORAGE_LOCKED" }));
  await one.close();
  expect(() => restoreInto({ directory: path }, snapshot)).toThrow(expect.objectContaining({ code: "FL_STORAGE" }));
  // Two keys of one creation are none that a store has written: nothing is changed then.
  const twice = { ...snapshot, entries: [...snapshot.entries, { ...(snapshot.entries[0] as Entry), key: "/other" }] };
  expect(() => restoreInto({ directory: path, replace: true }, twice)).toThrow(expect.objectContaining({ code: "FL_STORAGE" }));
  const kept = await backend({ directory: path }).open();
  expect(kept.entries.map(({ key }) => key)).toEqual(["/old"]);
  await open.at(-1)?.close();
  restoreInto({ directory: path, replace: true }, snapshot);
  const { revision, entries } = await backend({ directory: path }).open();
  expect([revision, entries.map(({ key, modRevision }) => `${key}@${modRevision}`)]).toEqual([100, ["/new@9"]]);
  expect((statSync(join(path, "store.db")).mode & 0o777).toString(8)).toBe("600");
});

test("a file of version 1, whose rows were found by key, is taken over", async () => {
  const path = directory();
  const one = backend({ directory: path });
  await one.open();
  await put(one, "/a");
  await put(one, "/b");
  await one.close();
  const file = new DatabaseSync(join(path, "store.db"));
  file.exec(`CREATE TABLE older (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL, create_revision INTEGER NOT NULL, revision INTEGER NOT NULL) STRICT;
    INSERT INTO older SELECT key, value, create_revision, revision FROM objects;
    DROP TABLE objects; ALTER TABLE older RENAME TO objects; PRAGMA user_version = 1`);
  file.close();
  const again = backend({ directory: path });
  const { revision, entries } = await again.open();
  expect([revision, entries.map(({ key, modRevision }) => `${key}@${modRevision}`)]).toEqual([3, ["/a@2", "/b@3"]]);
  expect(await put(again, "/a", 20, 2)).toEqual({ kind: "ok", revision: 4 });
});

test("a full store refuses whole batches, keeps what it has, and takes writes again when there is space", async () => {
  const path = directory();
  const one = backend({ directory: path, maxBytes: 1 << 20 });
  await one.open();
  expect(await put(one, "/kept", 300_000)).toEqual({ kind: "ok", revision: 2 });
  const refused = await Promise.allSettled([put(one, "/small"), put(one, "/large", 900_000)]);
  expect(refused.map((result) => result.status)).toEqual(["rejected", "rejected"]);
  await expect(put(one, "/large", 900_000)).rejects.toMatchObject({ code: "FL_STORAGE" });
  expect(await one.write({ key: "/kept", value: null, expect: 2 })).toMatchObject({ kind: "ok" });
  expect(await put(one, "/large", 900_000)).toMatchObject({ kind: "ok" });
  await one.close();
  const { entries } = await backend({ directory: path }).open();
  expect(entries.map((entry) => [entry.key, entry.value.byteLength])).toEqual([["/large", 900_000]]);
});

test("a large content comes back whole", async () => {
  const path = directory();
  const one = backend({ directory: path });
  await one.open();
  await Promise.all(Array.from({ length: 300 }, (_, i) => put(one, `/${i}`, 50_000 + i)));
  await one.close();
  const snapshot = await backend({ directory: path }).open();
  expect(snapshot.revision).toBe(301);
  expect(snapshot.entries.every((entry) => entry.value.byteLength === 50_000 + Number(entry.key.slice(1)))).toBe(true);
});

/** Runs the writer until it has acknowledged `enough` writes, kills it, and gives what it acknowledged: key → revision, 0 for removed. */
function crash(path: string, round: number, enough: number): Promise<Map<string, number>> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "crash-writer.ts"), path, String(round)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    if (output.split("\n").length > enough) child.kill("SIGKILL");
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => {
      const lines = output.split("\n").slice(0, -1);
      resolve(new Map(lines.map((line) => JSON.parse(line) as [string, number])));
    });
  });
}

/** The writer's next write of a key may have been committed and not yet acknowledged when it died. */
function lost(acknowledged: ReadonlyMap<string, number>, snapshot: Snapshot): string[] {
  const kept = new Map(snapshot.entries.map((entry) => [entry.key, entry.modRevision]));
  return [...acknowledged].flatMap(([key, revision]) => {
    const now = kept.get(key);
    const number = Number(key.split("/").at(-1));
    const mayBeGone = revision === 0 || number % 10 === 9;
    if (now === undefined) return mayBeGone ? [] : [`${key} is gone`];
    return revision !== 0 && now >= revision ? [] : [`${key} is ${now}, acknowledged ${revision}`];
  });
}

test("kill -9 at 25 moments: every acknowledged write is there, whole", { timeout: 300_000 }, async () => {
  const path = directory();
  const acknowledged = new Map<string, number>();
  let revision = 0;
  for (let round = 0; round < 25; round++) {
    for (const [key, value] of await crash(path, round, 1 + ((round * 37) % 200))) acknowledged.set(key, value);
    const one = backend({ directory: path });
    const snapshot = await one.open();
    expect(lost(acknowledged, snapshot)).toEqual([]);
    expect(snapshot.revision).toBeGreaterThanOrEqual(Math.max(revision, ...acknowledged.values()));
    expect(snapshot.entries.every((entry) => new TextDecoder().decode(entry.value).startsWith(`${entry.key} `))).toBe(true);
    revision = snapshot.revision;
    await one.close();
  }
  expect(acknowledged.size).toBeGreaterThan(500);
});
