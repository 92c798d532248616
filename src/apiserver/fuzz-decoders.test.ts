/**
 * Every decoder of what strangers send, with input that is nearly right: each answers a value or a Status, of bounded size, and nothing else.
 * `FAIRLEAD_RUNS=50` tries longer.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileCel } from "../api/cel/environment.ts";
import { decodeObject } from "../api/decode.ts";
import { kinds } from "../api/kinds/index.ts";
import type { KindSpec } from "../api/kind.ts";
import type { KubeObject } from "../api/object.ts";
import { applyPatch, serverSideApply, trackUpdate } from "../api/patch/index.ts";
import { compilePattern } from "../api/pattern.ts";
import { parseQuantity } from "../api/quantity.ts";
import type { ApiRequest } from "../api/request.ts";
import { apiVersionOf } from "../api/resources.ts";
import { arbitraryObject } from "../api/schema/arbitrary.cases.ts";
import { matchesLabels, parseFieldSelector, parseLabelSelector } from "../api/selectors.ts";
import { StatusError } from "../api/status.ts";
import { readAuditPolicy } from "./audit/policy.ts";
import { unverifiedClaims } from "./auth/jwt.ts";
import { representation } from "./encode/accept.ts";
import { readBody } from "./encode/body.ts";
import { readProtobuf } from "./encode/protobuf.ts";
import { writeProtobuf } from "./encode/protobuf-write.ts";
import { decodeContinue, encodeContinue } from "./watch-cache-continue.ts";
import { FairleadError } from "../lib/errors.ts";

const factor = Number(process.env["FAIRLEAD_RUNS"] ?? 1);
const runs = (count: number) => ({ numRuns: count * factor });

/** A value, or a Status of the client's doing. Anything else fails the test. */
async function answered<T>(act: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    expect(error).toBeInstanceOf(StatusError);
    expect((error as StatusError).code).toBeLessThan(500);
    expect((error as StatusError).message.length).toBeLessThan(100_000);
    return undefined;
  }
}

const kind = fc.constantFrom(...kinds.filter(({ resource }) => resource.group !== "apiextensions.k8s.io"));
const object = kind.chain((one) =>
  fc.tuple(
    fc.constant(one),
    arbitraryObject(one.definition, { depth: 3 }).map((fields) => ({
      apiVersion: apiVersionOf(one.resource),
      kind: one.resource.kind,
      ...fields,
    })),
  ),
);

/** Bytes changed, taken out, put in, said twice. */
const damage = fc.array(
  fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), how: fc.constantFrom("flip", "cut", "insert", "repeat"), byte: fc.nat(255) }),
  { minLength: 1, maxLength: 4 },
);

function damaged(bytes: Buffer, faults: readonly { readonly at: number; readonly how: string; readonly byte: number }[]): Buffer {
  let out = bytes;
  for (const { at, how, byte } of faults) {
    const place = Math.floor(at * out.length);
    const [head, tail] = [out.subarray(0, place), out.subarray(place)];
    if (how === "flip") out = Buffer.concat([head, Buffer.from([(tail[0] ?? 0) ^ (byte | 1)]), tail.subarray(1)]);
    else if (how === "cut") out = Buffer.concat([head, tail.subarray(byte)]);
    else if (how === "insert") out = Buffer.concat([head, Buffer.from([byte]), tail]);
    else out = Buffer.concat([out, tail]).subarray(0, 100_000);
  }
  return out;
}

const request = (body: Uint8Array, type: string): ApiRequest => ({
  method: "POST",
  path: "/",
  query: new URLSearchParams(),
  headers: { "content-type": type },
  body,
  user: { name: "a", groups: [] },
});

describe("bodies", () => {
  const decodes = (one: KindSpec, raw: unknown) => answered(() => decodeObject(one, raw, "Strict"));

  test("protocol buffers", () =>
    fc.assert(
      fc.asyncProperty(object, damage, async ([one, value], faults) => {
        const raw = await answered(() => readProtobuf(damaged(writeProtobuf(value), faults)));
        if (raw !== undefined) await decodes(one, raw);
      }),
      runs(400),
    ));

  test.each(["application/json", "application/yaml"])("%s", (type) =>
    fc.assert(
      fc.asyncProperty(object, damage, async ([one, value], faults) => {
        const raw = await answered(() => readBody(request(damaged(Buffer.from(JSON.stringify(value)), faults), type), "X"));
        if (raw !== undefined) await decodes(one, raw);
      }),
      runs(type.endsWith("yaml") ? 150 : 400),
    ),
  );

  test.each([
    [
      "aliases upon aliases",
      `a: &a [x]\n${Array.from({ length: 30 }, (_, i) => `${"bcdefghijklmnopqrstuvwxyzABCDEFGHIJK"[i]}: &${"bcdefghijklmnopqrstuvwxyzABCDEFGHIJK"[i]} [*${"abcdefghijklmnopqrstuvwxyzABCDEFGHIJ"[i]}, *${"abcdefghijklmnopqrstuvwxyzABCDEFGHIJ"[i]}]`).join("\n")}`,
    ],
    ["an alias of itself", "a: &a [*a]"],
    ["tags", "a: !!js/function 'x'\nb: !!binary '////'"],
    ["many documents", "---\n".repeat(10_000)],
    ["a long number", `a: ${"9".repeat(100_000)}`],
  ])("YAML with %s", async (_, text) => {
    const read = await answered(() => readBody(request(Buffer.from(text), "application/yaml"), "X"));
    expect(read === undefined || typeof read === "object").toBe(true);
  });

  test("lengths that lie", async () => {
    for (const size of [2 ** 31, 2 ** 32, 2 ** 53]) {
      const varint: number[] = [];
      for (let rest = size; ; rest = Math.floor(rest / 128)) {
        varint.push(rest >= 128 ? (rest % 128) | 128 : rest);
        if (rest < 128) break;
      }
      await answered(() => readProtobuf(Buffer.concat([Buffer.from("k8s\0"), Buffer.from([0x0a, ...varint])])));
    }
  });
});

describe("patches", () => {
  const json = fc.jsonValue({ maxDepth: 4 });
  const operation = fc.record(
    {
      op: fc.constantFrom("add", "remove", "replace", "move", "copy", "test", "nonsense"),
      path: fc.oneof(
        fc.constantFrom("", "/", "/spec", "/spec/ports/0", "/spec/ports/-", "/metadata/labels/a~1b", "/~", "/spec/ports/99999999999"),
        fc.string(),
      ),
      from: fc.constantFrom("", "/spec", "/metadata", "/spec/ports/0", "/nothing"),
      value: json,
    },
    { requiredKeys: ["op"] },
  );
  const types = ["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"] as const;

  test("of every type, on any object", () =>
    fc.assert(
      fc.asyncProperty(
        object,
        fc.constantFrom(...types),
        fc.oneof(json, fc.array(operation, { maxLength: 5 })),
        async ([one, value], type, patch) => {
          const patched = await answered(() => applyPatch(value, patch, type, one.definition));
          if (patched !== undefined) await answered(() => decodeObject(one, patched, "Ignore"));
        },
      ),
      runs(600),
    ));

  test("a copy of a copy of a copy is cut off", async () => {
    const copies = Array.from({ length: 40 }, (_, i) => ({
      op: "copy",
      from: i === 0 ? "/metadata" : `/data/k${i - 1}`,
      path: `/data/k${i}`,
    }));
    const doubling = Array.from({ length: 60 }, () => ({ op: "copy", from: "/data", path: "/data/more" }));
    for (const patch of [copies, doubling])
      await answered(() => applyPatch({ metadata: { a: "x".repeat(1000) }, data: { a: 1 } }, patch, types[0], "ConfigMap"));
  });

  const fieldSet = fc.letrec((tie) => ({
    set: fc.dictionary(
      fc.oneof(
        fc.constantFrom("f:spec", "f:ports", ".", 'k:{"port":80,"protocol":"TCP"}', "k:{", 'v:"x"', "i:0", "f:__proto__"),
        fc.string({ maxLength: 6 }),
      ),
      fc.oneof({ maxDepth: 4 }, fc.constant({}), tie("set"), fc.jsonValue({ maxDepth: 0 })),
      { maxKeys: 4 },
    ),
  })).set;

  test("managed fields that somebody made up", () =>
    fc.assert(
      fc.asyncProperty(
        object,
        fc.array(
          fc.record({ manager: fc.string(), operation: fc.constantFrom("Apply", "Update", "X"), fieldsV1: fieldSet, time: fc.string() }),
          { maxLength: 3 },
        ),
        async ([one, value], managedFields) => {
          const live = { ...value, metadata: { ...(value as { metadata?: object }).metadata, managedFields } } as unknown as KubeObject;
          const common = { manager: "m", apiVersion: "v1", definition: one.definition, time: "2026-01-01T00:00:00Z" };
          const applied = { ...value, metadata: {} } as unknown as KubeObject;
          await answered(() => serverSideApply({ ...common, live, applied, force: true }));
          await answered(() => trackUpdate({ ...common, before: live, after: applied }));
        },
      ),
      runs(300),
    ));
});

describe("texts", () => {
  const near = (...samples: readonly string[]) =>
    fc.tuple(fc.constantFrom(...samples), damage).map(([text, faults]) => damaged(Buffer.from(text), faults).toString());

  test("selectors", () =>
    fc.assert(
      fc.property(fc.oneof(near("a in (b,c),d notin (),!e,f>5,g!=h", "metadata.name=x,spec.nodeName!=y\\,z"), fc.string()), (text) => {
        const labels = parseLabelSelector(text);
        if (labels.kind === "ok") expect(typeof matchesLabels(labels.selector, { a: "b" })).toBe("boolean");
        expect(["ok", "error"]).toContain(parseFieldSelector(text).kind);
      }),
      runs(2000),
    ));

  test("continue tokens", () =>
    fc.assert(
      fc.asyncProperty(
        fc.oneof(near(encodeContinue({ revision: 7, start: "default/x" })), fc.string(), fc.base64String()),
        async (text) => {
          const token = await answered(() => decodeContinue(text));
          if (token !== undefined) expect(token.start).not.toBe("");
        },
      ),
      runs(1000),
    ));

  test("quantities, media types and tokens", () =>
    fc.assert(
      fc.asyncProperty(
        fc.oneof(near("1.5Gi", "1e999999999", "application/json;as=Table;q=0.5, */*", "eyJhbGciOiJub25lIn0.e30.", "a.b.c"), fc.string()),
        async (text) => {
          parseQuantity(text);
          unverifiedClaims(text);
          await answered(() => representation(text));
        },
      ),
      runs(2000),
    ));

  test("patterns and expressions", () =>
    fc.assert(
      fc.property(
        fc.oneof(near("^[a-z]{1,63}(\\.[a-z]+)*$", "(?i)^(a|b{2,5})+$"), fc.string()),
        near("self.all(a, a.b.matches('^x+$') || has(a.c))", "[1, 2].map(x, x * 2)"),
        (pattern, text) => {
          try {
            compilePattern(pattern)?.("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
          } catch (error) {
            expect((error as Error).message).toContain("takes too long");
          }
          try {
            compileCel(text, ["self"])({ self: [] });
          } catch (error) {
            expect(error).toBeInstanceOf(Error);
          }
        },
      ),
      runs(500),
    ));

  test("audit policies", () =>
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.array(fc.jsonValue({ maxDepth: 2 })), (raw, rules) => {
        for (const one of [raw, { apiVersion: "audit.k8s.io/v1", kind: "Policy", rules }])
          try {
            readAuditPolicy(one);
          } catch (error) {
            expect(error).toBeInstanceOf(FairleadError);
          }
      }),
      runs(300),
    ));
});
