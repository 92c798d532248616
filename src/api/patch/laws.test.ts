/** What holds of patches and applies whatever the objects are: of any fields of any of these kinds, as the schema has them. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deepFreeze as freeze } from "../../lib/freeze.ts";
import type { KubeObject } from "../object.ts";
import { arbitraryObject } from "../schema/arbitrary.cases.ts";
import type { ManagedFieldsEntry } from "../types.ts";
import { serverSideApply, type ApplyResult } from "./index.ts";
import { isObject, jsonEqual } from "./json-value.ts";
import { jsonPatch } from "./json.ts";
import { mergePatch } from "./merge.ts";
import { strategicMergePatch } from "./strategic.ts";

const words = ["a", "b", "c", "d"];
const types = ["Service", "Pod", "Deployment", "EndpointSlice", "Ingress", "NetworkPolicy", "StatefulSet", "CronJob"] as const;
const type = fc.constantFrom(...types);
const part = { words, depth: 4, width: 8, whole: true, without: types.flatMap((name) => [`${name}.metadata`, `${name}.status`]) };
const of = (name: string) => arbitraryObject(name, part);
/** More of them: `FAIRLEAD_RUNS=20`. */
const runs = { numRuns: 150 * Number(process.env["FAIRLEAD_RUNS"] ?? 1) };

describe("strategic merge patches", () => {
  const pair = type.chain((name) => fc.tuple(fc.constant(name), of(name), of(name)));

  test("nothing changes nothing, and no input", () =>
    fc.assert(
      fc.property(pair, ([name, object, patch]) => {
        freeze(object);
        freeze(patch);
        expect(strategicMergePatch(object, {}, name)).toEqual(object);
        strategicMergePatch(object, patch, name);
      }),
      runs,
    ));

  test("twice is once", () =>
    fc.assert(
      fc.property(pair, ([name, object, patch]) => {
        const once = strategicMergePatch(object, patch, name);
        expect(strategicMergePatch(once, patch, name)).toEqual(once);
      }),
      runs,
    ));

  test("an object is a patch that makes it of nothing, and leaves it as it is", () =>
    fc.assert(
      fc.property(pair, ([name, object]) => {
        expect(strategicMergePatch({}, object, name)).toEqual(object);
        expect(strategicMergePatch(object, object, name)).toEqual(object);
      }),
      runs,
    ));

  test("everything of the patch is there afterwards", () =>
    fc.assert(
      fc.property(pair, ([name, object, patch]) => {
        expect(contains(strategicMergePatch(object, patch, name), patch)).toBe(true);
      }),
      runs,
    ));

  test("null takes a field away, $patch: replace all others", () =>
    fc.assert(
      fc.property(pair, ([name, object, patch]) => {
        const keys = Object.keys(object);
        const gone = strategicMergePatch(object, Object.fromEntries(keys.map((key) => [key, null])), name);
        expect(gone).toEqual({});
        expect(strategicMergePatch(object, { ...patch, $patch: "replace" }, name)).toEqual(patch);
        expect(strategicMergePatch(object, { ...patch, $patch: "delete" }, name)).toEqual({});
      }),
      runs,
    ));

  const port = fc.record({ port: fc.integer({ min: 1, max: 6 }), name: fc.constantFrom(...words) });
  const ports = fc.uniqueArray(port, { maxLength: 5, selector: (item) => item.port });
  const numbers = (object: unknown) => (object as { spec: { ports: { port: number }[] } }).spec.ports.map((item) => item.port);

  test("items keep their order, new ones come last, and $setElementOrder has the last word", () =>
    fc.assert(
      fc.property(ports, ports, (have, want) => {
        const merged = numbers(strategicMergePatch({ spec: { ports: have } }, { spec: { ports: want } }, "Service"));
        const added = want.filter((one) => !have.some((other) => other.port === one.port)).map((item) => item.port);
        expect(merged).toEqual([...have.map((item) => item.port), ...added]);
        const order = want.map((item) => ({ port: item.port }));
        const ordered = strategicMergePatch(
          { spec: { ports: have } },
          { spec: { ports: want, "$setElementOrder/ports": order } },
          "Service",
        );
        const wanted = new Set(order.map((item) => item.port));
        expect(numbers(ordered).filter((number) => wanted.has(number))).toEqual(order.map((item) => item.port));
      }),
      runs,
    ));

  test("an item that is deleted is gone, and only it", () =>
    fc.assert(
      fc.property(
        ports.filter((list) => list.length > 0),
        fc.nat(),
        (have, which) => {
          const { port: number } = have[which % have.length] as { port: number };
          const patch = { spec: { ports: [{ port: number, $patch: "delete" }] } };
          const left = strategicMergePatch({ spec: { ports: have } }, patch, "Service") as { spec: { ports: unknown } };
          expect(left.spec.ports).toEqual(have.filter((item) => item.port !== number));
        },
      ),
      runs,
    ));
});

/** Lists by their items, whatever their order; a list without keys is replaced, and so the same. */
function contains(whole: unknown, some: unknown): boolean {
  if (Array.isArray(some)) return Array.isArray(whole) && some.every((item) => whole.some((other) => contains(other, item)));
  if (!isObject(some)) return jsonEqual(whole, some);
  return isObject(whole) && Object.entries(some).every(([key, value]) => contains(whole[key], value));
}

describe("merge and JSON patches", () => {
  const json = fc
    .dictionary(fc.constantFrom(...words), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 })
    .map((value) => JSON.parse(JSON.stringify(value)) as object);

  test("a merge patch twice is once", () =>
    fc.assert(
      fc.property(json, json, (object, patch) => {
        const once = mergePatch(object, patch);
        expect(mergePatch(once, patch)).toEqual(once);
      }),
    ));

  test("what was added can be taken away again, and what a test says must be so", () =>
    fc.assert(
      fc.property(json, fc.constantFrom("e", "f/g", "h~i"), fc.jsonValue({ maxDepth: 1 }), (object, key, value) => {
        const path = `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
        const plain = JSON.parse(JSON.stringify(value)) as unknown;
        const added = jsonPatch(object, [{ op: "add", path, value: plain }]);
        expect(
          jsonPatch(added, [
            { op: "test", path, value: plain },
            { op: "remove", path },
          ]),
        ).toEqual(object);
        expect(() => jsonPatch(object, [{ op: "test", path, value: "another" }])).toThrow();
      }),
    ));
});

describe("server-side apply", () => {
  const identity = { apiVersion: "v1", kind: "K", metadata: { name: "x" } };
  const apply = (live: KubeObject | undefined, fields: object, manager: string, name: string, force = false): ApplyResult =>
    serverSideApply({
      live,
      applied: { ...identity, ...fields } as KubeObject,
      manager,
      force,
      apiVersion: "v1",
      definition: name,
      time: "2026-01-01T00:00:00Z",
    });
  const one = type.chain((name) => fc.tuple(fc.constant(name), of(name)));
  const two = type.chain((name) => fc.tuple(fc.constant(name), of(name), of(name)));
  const entries = ({ metadata }: KubeObject): readonly ManagedFieldsEntry[] => metadata.managedFields ?? [];
  const bare = ({ metadata, ...rest }: KubeObject): object => ({ ...rest, metadata: { ...metadata, managedFields: undefined } });

  test("what is applied is there, and owned by who applied it", () =>
    fc.assert(
      fc.property(one, ([name, fields]) => {
        const { object, conflicts } = apply(undefined, fields, "m", name);
        expect(conflicts).toEqual([]);
        expect(contains(object, fields)).toBe(true);
        const owners = Object.keys(fields).length === 0 ? [] : [["m", "Apply"]];
        expect(entries(object).map(({ manager, operation }) => [manager, operation])).toEqual(owners);
      }),
      runs,
    ));

  test("twice is once, time and all", () =>
    fc.assert(
      fc.property(one, ([name, fields]) => {
        const { object } = apply(undefined, fields, "m", name);
        const again = serverSideApply({
          live: object,
          applied: { ...identity, ...fields } as KubeObject,
          manager: "m",
          force: false,
          apiVersion: "v1",
          definition: name,
          time: "2030-01-01T00:00:00Z",
        });
        expect(again.object).toEqual(object);
      }),
      runs,
    ));

  test("who stops applying a field takes it away, unless another one wants it", () =>
    fc.assert(
      fc.property(one, ([name, fields]) => {
        const { object: mine } = apply(undefined, fields, "m", name);
        const { object: shared, conflicts } = apply(mine, fields, "n", name);
        expect(conflicts).toEqual([]);
        const { object: hers } = apply(shared, {}, "m", name);
        expect(bare(hers)).toEqual(bare(mine));
        const { object: nobodys } = apply(hers, {}, "n", name);
        expect(leaves(bare(nobodys))).toEqual(leaves(identity));
      }),
      runs,
    ));

  test("a conflict is exactly a field of another one that would change; force takes it", () =>
    fc.assert(
      fc.property(two, ([name, first, second]) => {
        const { object } = apply(undefined, first, "m", name);
        const polite = apply(object, second, "n", name);
        const forced = apply(object, second, "n", name, true);
        expect(forced.conflicts).toEqual([]);
        expect(contains(forced.object, second)).toBe(true);
        const loses = apply(forced.object, second, "n", name);
        expect(loses.conflicts).toEqual([]);
        if (polite.conflicts.length === 0) expect(bare(polite.object)).toEqual(bare(forced.object));
        // Whoever lost a field by force meets a conflict when he wants it back; one without a conflict loses nothing.
        const back = apply(forced.object, first, "m", name);
        expect(back.conflicts.length > 0).toBe(polite.conflicts.length > 0);
      }),
      runs,
    ));

  test("the order in which two apply what does not clash is of no matter", () =>
    fc.assert(
      fc.property(two, ([name, first, second]) => {
        const a = apply(apply(undefined, first, "m", name).object, second, "n", name);
        const b = apply(apply(undefined, second, "n", name).object, first, "m", name);
        expect(a.conflicts.length > 0).toBe(b.conflicts.length > 0);
        if (a.conflicts.length === 0) expect(leaves(bare(a.object))).toEqual(leaves(bare(b.object)));
      }),
      runs,
    ));

  test("no input is changed", () =>
    fc.assert(
      fc.property(two, ([name, first, second]) => {
        const { object } = apply(undefined, freeze(first), "m", name);
        apply(freeze(object), freeze(second), "n", name, true);
      }),
      runs,
    ));
});

/** Every value with its path, lists by their items' text: the order of merged lists follows who came first. Empty structs do not count. */
function leaves(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => leaves(item, `${path}[]`)).sort();
  if (value === undefined) return [];
  if (isObject(value))
    return Object.entries(value)
      .flatMap(([key, child]) => leaves(child, `${path}.${key}`))
      .sort();
  return [`${path}=${JSON.stringify(value)}`];
}
