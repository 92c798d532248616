import * as fc from "fast-check";
import { expect, test } from "vitest";
import { CacheEvent } from "./watch-cache-events.ts";
import { KeyIndex } from "./watch-cache-index.ts";
import { StoredVersion } from "./watch-cache-object.ts";

const value = Buffer.from('{"metadata":{}}');
const version = (key: string, revision: number): StoredVersion => new StoredVersion(key, value, revision, revision);
const shown = (items: readonly StoredVersion[]): string[] => items.map(({ key, revision }) => `${key}@${revision}`);

/** Few namespaces and many names, some of which sort around the separator. */
const key = fc.tuple(fc.constantFrom("a", "a-b", "b", "c0"), fc.nat(2000)).map(([namespace, name]) => `${namespace}/${name}`);
const writes = fc.array(fc.record({ key, remove: fc.boolean() }), { minLength: 1, maxLength: 3000, size: "max" });

test("an index behaves like a sorted map, now and as of before its last events", () => {
  fc.assert(
    fc.property(
      writes,
      fc.constantFrom(undefined, "", "a", "b", "c0"),
      fc.nat(3000),
      fc.nat(50),
      key,
      (all, namespace, back, limit, start) => {
        const index = new KeyIndex();
        const model = new Map<string, StoredVersion>();
        let past = new Map(model);
        const events: CacheEvent[] = [];
        for (const [i, write] of all.entries()) {
          if (i === Math.max(0, all.length - back)) past = new Map(model);
          const current = write.remove ? undefined : version(write.key, i + 2);
          const event = new CacheEvent(write.key, i + 2, index.get(write.key), current);
          if (i >= all.length - back) events.push(event);
          if (current === undefined) index.remove(write.key);
          else index.put(current);
          if (current === undefined) model.delete(write.key);
          else model.set(write.key, current);
        }
        const sorted = (of: ReadonlyMap<string, StoredVersion>) =>
          [...of.values()]
            .filter((one) => (namespace ?? "") === "" || one.key.startsWith(`${namespace}/`))
            .sort((a, b) => (a.key < b.key ? -1 : 1));
        expect(shown(index.range(namespace))).toEqual(shown(sorted(model)));
        expect(shown(index.rangeBefore(namespace, events))).toEqual(shown(sorted(events.length === 0 ? model : past)));
        const after = sorted(model).filter((one) => one.key >= start);
        const page = index.page(namespace, start, limit + 1);
        expect([shown(page.items), page.remaining]).toEqual([shown(after.slice(0, limit + 1)), Math.max(0, after.length - limit - 1)]);
        expect([index.size, index.get(start)]).toEqual([model.size, model.get(start)]);
      },
    ),
    { numRuns: 60 },
  );
});
