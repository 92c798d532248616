import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { Clock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { createMemoryBackend } from "../memory/memory-backend.ts";
import { createHistory, type History } from "./history.ts";
import { readMoment, type Moment } from "./moment.ts";
import { fileSegments, memorySegments, type Segments } from "./segments.ts";

const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const revision = (number: number): Moment => ({ kind: "revision", revision: number });
const time = (ms: number): Moment => ({ kind: "time", time: ms });
const forever = revision(Number.MAX_SAFE_INTEGER);

/** Time that the test moves; what waits is done when somebody reads. */
function handClock(start = 1000): Clock & { set(ms: number): void } {
  let now = start;
  return { now: () => now, monotonic: () => now, after: () => ({ cancel: () => undefined }), set: (ms) => void (now = ms) };
}

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function inFiles(): Segments {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-history-"));
  directories.push(directory);
  return fileSegments(join(directory, "history"));
}

const told = async (state: ReturnType<History["at"]>) =>
  Object.fromEntries((await state)?.versions.map(({ key, value }) => [key, JSON.parse(Buffer.from(value ?? []).toString())]) ?? []);

describe.each([
  ["memory", memorySegments],
  ["files", inFiles],
])("in %s", (_, make) => {
  async function started(
    segments = make(),
    entries = [{ key: "/registry/services/a/old", value: bytes(0), createRevision: 3, modRevision: 5 }],
  ) {
    const clock = handClock();
    const history = createHistory({ segments, prefixes: ["/registry/services/"], segmentBytes: 4096, clock, log: silentLogger });
    const backend = history.around(createMemoryBackend({ entries, revision: 5 }));
    await backend.open();
    return { history, backend, clock, segments };
  }

  test("what was there at a revision and at a time", async () => {
    const { history, backend, clock } = await started();
    clock.set(2000);
    await backend.write({ key: "/registry/services/a/web", value: bytes({ n: 1 }), expect: 0 });
    clock.set(3000);
    await backend.write({ key: "/registry/services/a/web", value: bytes({ n: 2 }), expect: 6 });
    clock.set(4000);
    await backend.write({ key: "/registry/services/a/web", value: null, expect: 7 });
    const old = { "/registry/services/a/old": 0 };
    expect(await told(history.at(revision(5)))).toEqual(old);
    expect(await told(history.at(revision(6)))).toEqual({ ...old, "/registry/services/a/web": { n: 1 } });
    expect(await told(history.at(time(3500)))).toEqual({ ...old, "/registry/services/a/web": { n: 2 } });
    expect(await told(history.at(time(4000)))).toEqual(old);
    expect(await history.at(time(999))).toBeUndefined();
    expect(await told(history.at({ kind: "oldest" }))).toEqual(old);
    await backend.close();
  });

  test("what was written between two moments, and other keys never", async () => {
    const { history, backend, clock } = await started();
    await backend.write({ key: "/registry/secrets/a/s", value: bytes("secret"), expect: 0 });
    clock.set(2000);
    await backend.write({ key: "/registry/services/a/web", value: bytes(1), expect: 0 });
    clock.set(3000);
    await backend.write({ key: "/registry/services/a/web", value: null, expect: 7 });
    expect((await history.between(time(0), forever)).map(({ key, revision: number, value }) => [key, number, value === null])).toEqual([
      ["/registry/services/a/web", 7, false],
      ["/registry/services/a/web", 8, true],
    ]);
    expect((await history.between(revision(7), forever)).map((version) => version.revision)).toEqual([8]);
    expect((await history.between(time(1000), time(2000))).map((version) => version.revision)).toEqual([7]);
    await backend.close();
  });

  test("a segment that outgrows its state begins anew; what is older than a day goes, the state stays", async () => {
    const { history, backend, clock, segments } = await started();
    const large = "x".repeat(1024);
    const day = 86_400_000;
    let expected = 0;
    for (let hour = 0; hour < 40; hour++) {
      clock.set(1000 + hour * (day / 20));
      const result = await backend.write({ key: "/registry/services/a/web", value: bytes({ hour, large }), expect: expected });
      expected = result.revision;
      // Reading is what writes the queue in a test.
      await history.between(forever, forever);
    }
    expect((await segments.list()).length).toBeGreaterThan(1);
    expect((await segments.list())[0]).toBeGreaterThan(1);
    expect(await told(history.at(forever))).toMatchObject({ "/registry/services/a/old": 0, "/registry/services/a/web": { hour: 39 } });
    expect(await told(history.at(time(1000 + 30 * (day / 20))))).toMatchObject({ "/registry/services/a/web": { hour: 30 } });
    expect(await history.at(time(1000))).toBeUndefined();
    await backend.close();
  });
});

test("files: a process that comes back finds what was before; they are their owner's alone", async () => {
  const segments = inFiles();
  const clock = handClock();
  const open = async (value: number) => {
    const history = createHistory({ segments, prefixes: ["/registry/services/"], clock, log: silentLogger });
    const entries = [{ key: "/registry/services/a/web", value: bytes(value), createRevision: 2, modRevision: value }];
    const backend = history.around(createMemoryBackend({ entries, revision: 10 * value }));
    await backend.open();
    return { history, backend };
  };
  const first = await open(1);
  await first.backend.close();
  clock.set(5000);
  const second = await open(2);
  expect(await told(second.history.at(time(4999)))).toEqual({ "/registry/services/a/web": 1 });
  expect(await told(second.history.at(time(5000)))).toEqual({ "/registry/services/a/web": 2 });
  const directory = join(directories[0] as string, "history");
  for (const name of readdirSync(directory)) expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  await second.backend.close();
});

test("a disk that cannot be written to costs the history and nothing else", async () => {
  const warnings: string[] = [];
  const segments: Segments = { ...memorySegments(), append: () => Promise.reject(new Error("ENOSPC")) };
  const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
  const history = createHistory({ segments, prefixes: ["/"], clock: handClock(), log });
  const backend = history.around(createMemoryBackend());
  await backend.open();
  expect(await backend.write({ key: "/a", value: bytes(1), expect: 0 })).toMatchObject({ kind: "ok" });
  expect(await history.between(time(0), forever)).toEqual([]);
  expect(warnings).toEqual(["history is kept no longer"]);
  await backend.close();
});

test("moments: a revision, a time, a while ago", () => {
  expect(readMoment("oldest", 0)).toEqual({ kind: "oldest" });
  expect(readMoment("812", 0)).toEqual(revision(812));
  expect(readMoment("5m", 400_000)).toEqual(time(100_000));
  expect(readMoment("1970-01-01T00:00:02Z", 0)).toEqual(time(2000));
  expect(() => readMoment("yesterday", 0)).toThrow("yesterday is no moment");
});
