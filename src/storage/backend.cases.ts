/** The contract of `Backend` as cases that every implementation passes. */
import * as fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import type { Backend, Snapshot, StoreEvent } from "./backend.ts";
import { writeSnapshot } from "./snapshot/format.ts";
import { restoredSnapshot } from "./snapshot/restore.ts";

export interface BackendUnderTest {
  readonly backend: Backend;
  /** A second backend on the same data, after the first was closed; undefined where nothing is kept. */
  readonly reopen?: () => Backend;
  /** Another backend, made of a snapshot. */
  readonly restored: (snapshot: Snapshot) => Backend;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | null): string | null => (value === null ? null : new TextDecoder().decode(value));

function content(snapshot: Snapshot): Record<string, [value: string | null, created: number, modified: number]> {
  return Object.fromEntries(
    snapshot.entries.map((entry) => [entry.key, [text(entry.value), entry.createRevision, entry.modRevision] as const]).sort(),
  ) as ReturnType<typeof content>;
}

export function backendCases(name: string, make: () => BackendUnderTest): void {
  const open: Backend[] = [];
  afterEach(async () => {
    for (const backend of open.splice(0)) await backend.close();
  });
  const start = async () => {
    const made = make();
    open.push(made.backend);
    const snapshot = await made.backend.open();
    const events: StoreEvent[] = [];
    made.backend.subscribe((batch) => events.push(...batch));
    return { ...made, snapshot, events };
  };

  describe(`backend ${name}`, () => {
    test("an empty store has a revision that is not 0", async () => {
      expect((await start()).snapshot).toEqual({ revision: 1, entries: [] });
    });

    test("create, update, delete; each has its revision and its event, told before the answer", async () => {
      const { backend, events } = await start();
      const told: number[] = [];
      const write = async (value: string | null, expected: number) => {
        const result = await backend.write({ key: "/a", value: value === null ? null : bytes(value), expect: expected });
        told.push(events.length);
        return result;
      };
      expect(await write("1", 0)).toEqual({ kind: "ok", revision: 2 });
      expect(await write("2", 2)).toEqual({ kind: "ok", revision: 3 });
      expect(await write(null, 3)).toEqual({ kind: "ok", revision: 4 });
      expect(await write("3", 0)).toEqual({ kind: "ok", revision: 5 });
      expect(told).toEqual([1, 2, 3, 4]);
      expect(events.map((event) => [event.key, text(event.value), event.createRevision, event.revision])).toEqual([
        ["/a", "1", 2, 2],
        ["/a", "2", 2, 3],
        ["/a", null, 2, 4],
        ["/a", "3", 5, 5],
      ]);
    });

    test("a conflict names what the key has and writes nothing", async () => {
      const { backend, events } = await start();
      await backend.write({ key: "/a", value: bytes("1"), expect: 0 });
      expect(await backend.write({ key: "/a", value: bytes("x"), expect: 0 })).toEqual({ kind: "conflict", revision: 2 });
      expect(await backend.write({ key: "/a", value: null, expect: 7 })).toEqual({ kind: "conflict", revision: 2 });
      expect(await backend.write({ key: "/b", value: bytes("x"), expect: 2 })).toEqual({ kind: "conflict", revision: 0 });
      expect(await backend.write({ key: "/b", value: null, expect: 0 })).toEqual({ kind: "conflict", revision: 0 });
      expect(events).toHaveLength(1);
    });

    test("of many writers at once one wins, and the losers hear of it when its event is out", async () => {
      const { backend, events } = await start();
      const results = await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const result = await backend.write({ key: "/a", value: bytes(String(i)), expect: 0 });
          return { ...result, events: events.length };
        }),
      );
      expect(results.filter((result) => result.kind === "ok")).toHaveLength(1);
      expect(results.every((result) => result.revision === 2 && result.events === 1)).toBe(true);
    });

    test("a key that is being deleted can be made again, with a new creation", async () => {
      const { backend, events } = await start();
      await backend.write({ key: "/a", value: bytes("1"), expect: 0 });
      const [removed, eager] = await Promise.all([
        backend.write({ key: "/a", value: null, expect: 2 }),
        backend.write({ key: "/a", value: bytes("2"), expect: 0 }),
      ]);
      expect(removed).toEqual({ kind: "ok", revision: 3 });
      // Where the delete takes time, the creation loses to it and learns of the free key.
      if (eager.kind === "conflict") {
        expect(eager.revision).toBe(0);
        await backend.write({ key: "/a", value: bytes("2"), expect: 0 });
      }
      expect(events.map((event) => [text(event.value), event.createRevision])).toEqual([
        ["1", 2],
        [null, 2],
        ["2", 4],
      ]);
    });

    test("an unsubscribed listener hears nothing; a closed store refuses", async () => {
      const { backend } = await start();
      let heard = 0;
      backend.subscribe(() => heard++)();
      await backend.write({ key: "/a", value: bytes("1"), expect: 0 });
      expect(heard).toBe(0);
      await backend.close();
      await backend.close();
      await expect(backend.write({ key: "/b", value: bytes("1"), expect: 0 })).rejects.toMatchObject({ code: "FL_STORAGE" });
    });

    test("writes under way at close are finished", async () => {
      const { backend, reopen } = await start();
      const writes = Array.from({ length: 50 }, (_, i) => backend.write({ key: `/${i}`, value: bytes("x"), expect: 0 }));
      await backend.close();
      expect((await Promise.all(writes)).every((result) => result.kind === "ok")).toBe(true);
      if (reopen === undefined) return;
      const again = reopen();
      open.push(again);
      expect((await again.open()).entries).toHaveLength(50);
    });

    test("what a snapshot holds is there again, and its revisions go on above all that were seen", async () => {
      const { backend, events, restored } = await start();
      const json = (number: number) => bytes(JSON.stringify({ metadata: {}, number }));
      for (const [i, key] of ["/a", "/b", "/c"].entries()) await backend.write({ key, value: json(i), expect: 0 });
      await backend.write({ key: "/b", value: json(7), expect: 3 });
      await backend.write({ key: "/c", value: null, expect: 4 });
      const entries = [
        { key: "/a", value: json(0), createRevision: 2, modRevision: 2 },
        { key: "/b", value: json(7), createRevision: 3, modRevision: 5 },
      ];
      const snapshot = await restoredSnapshot(writeSnapshot({ revision: 6, takenAt: "2026-01-01T00:00:00Z" }, entries));
      // Written after the snapshot: a watcher of the old store may have seen it.
      await backend.write({ key: "/late", value: json(8), expect: 0 });
      const other = restored(snapshot);
      open.push(other);
      const opened = await other.open();
      expect(content(opened)).toEqual(content({ revision: 6, entries }));
      expect(opened.revision).toBeGreaterThan(events.at(-1)?.revision as number);
      expect(await other.write({ key: "/b", value: json(9), expect: 5 })).toEqual({ kind: "ok", revision: opened.revision + 1 });
      expect(await other.write({ key: "/late", value: json(9), expect: 0 })).toEqual({ kind: "ok", revision: opened.revision + 2 });
    });

    test("any sequence of writes behaves like a map with a counter, over restarts too", { timeout: 120_000 }, async () => {
      const step = fc.oneof(
        { weight: 9, arbitrary: fc.record({ key: fc.constantFrom("/a", "/b", "/c"), value: fc.option(fc.string()), right: fc.boolean() }) },
        { weight: 1, arbitrary: fc.constant("restart" as const) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          const first = make();
          let backend = first.backend;
          open.push(backend);
          await backend.open();
          let revision = 1;
          const model = new Map<string, [string | null, number, number]>();
          for (const one of steps) {
            if (one === "restart") {
              if (first.reopen === undefined) continue;
              await backend.close();
              open.push((backend = first.reopen()));
              expect(await backend.open().then((snapshot) => [snapshot.revision, content(snapshot)])).toEqual([
                revision,
                Object.fromEntries([...model].sort()),
              ]);
              continue;
            }
            const { key, value, right } = one;
            const current = model.get(key)?.[2] ?? 0;
            const result = await backend.write({ key, value: value === null ? null : bytes(value), expect: right ? current : current + 1 });
            const accepted = right && !(current === 0 && value === null);
            expect(result).toEqual(accepted ? { kind: "ok", revision: revision + 1 } : { kind: "conflict", revision: current });
            if (!accepted) continue;
            revision += 1;
            if (value === null) model.delete(key);
            else model.set(key, [value, model.get(key)?.[1] ?? revision, revision]);
          }
          await backend.close();
        }),
        { numRuns: 20 },
      );
    });
  });
}
