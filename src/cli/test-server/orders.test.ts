import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FairleadError } from "../../lib/errors.ts";
import type { Fault, TestCluster } from "../../testing/index.ts";
import { createOrders } from "./orders.ts";

/** A cluster that writes down what it is asked. */
function rig() {
  const asked: unknown[] = [];
  const fault =
    (name: string) =>
    (given: unknown): Fault => {
      asked.push([name, given]);
      const end = () => void asked.push([name, "ends"]);
      return { end, [Symbol.dispose]: end };
    };
  const cluster = {
    clock: {
      now: () => 7,
      advance: async (ms: number) => void asked.push(["advance", ms]),
      freeze: () => asked.push("freeze"),
      run: () => asked.push("run"),
    },
    faults: { endpointDown: fault("endpoint"), dns: fault("dns"), partition: fault("partition"), slowWatch: fault("slow") },
    apply: async () => Promise.reject(new FairleadError("FL_MANIFEST", "line 1: no")),
    resolve: async (name: string, type: string) => [`${name} ${type}`],
  };
  const orders = createOrders(cluster as unknown as TestCluster);
  return {
    asked,
    order: async (request: unknown) => JSON.parse(await orders(typeof request === "string" ? request : JSON.stringify(request))) as unknown,
  };
}

const request = (method: string, params?: object) => ({ jsonrpc: "2.0", id: 1, method, ...(params === undefined ? {} : { params }) });

test("what is asked is passed on, and only what was named", async () => {
  const { asked, order } = rig();
  expect(await order(request("clock.advance", { ms: 60_000 }))).toEqual({ jsonrpc: "2.0", id: 1, result: { ms: 7 } });
  expect(await order(request("faults.partition", { from: "remote", how: "hang" }))).toEqual({
    jsonrpc: "2.0",
    id: 1,
    result: { fault: 1 },
  });
  expect(await order(request("faults.slowWatch", { resource: "pods", delay: 5 }))).toEqual({ jsonrpc: "2.0", id: 1, result: { fault: 2 } });
  expect(await order(request("faults.dns"))).toEqual({ jsonrpc: "2.0", id: 1, result: { fault: 3 } });
  expect(await order(request("faults.end", { fault: 2 }))).toEqual({ jsonrpc: "2.0", id: 1, result: null });
  expect(await order(request("resolve", { name: "web" }))).toEqual({ jsonrpc: "2.0", id: 1, result: { answers: ["web A"] } });
  expect(asked).toEqual([
    ["advance", 60_000],
    ["partition", { from: "remote", how: "hang" }],
    ["slow", { resource: "pods", delay: 5 }],
    ["dns", {}],
    ["slow", "ends"],
  ]);
});

test.each([
  ["no JSON", "{", { id: null, error: { code: -32_700 } }],
  ["a list", [], { id: null, error: { code: -32_600 } }],
  ["another version", { id: 1, method: "clock.now" }, { id: null, error: { code: -32_600 } }],
  ["an unknown method", request("clock.stop"), { id: 1, error: { code: -32_601 } }],
  ["a method of every object", request("constructor"), { id: 1, error: { code: -32_601 } }],
  ["a missing parameter", request("clock.advance"), { error: { code: -32_000, data: "FL_USAGE" } }],
  ["time that goes back", request("clock.advance", { ms: -1 }), { error: { data: "FL_USAGE" } }],
  ["a word that is none of those", request("faults.partition", { how: "slowly" }), { error: { data: "FL_USAGE" } }],
  ["a fault that is not there", request("faults.end", { fault: 9 }), { error: { data: "FL_USAGE" } }],
  ["what the cluster refuses", request("apply", { manifests: "x" }), { error: { message: "line 1: no", data: "FL_MANIFEST" } }],
])("%s is refused", async (_, given, answer) => {
  expect(await rig().order(given)).toMatchObject({ jsonrpc: "2.0", ...answer });
});

test("whatever comes, an answer goes back", async () => {
  const { order } = rig();
  const almost = fc.record({
    jsonrpc: fc.constant("2.0"),
    id: fc.jsonValue(),
    method: fc.constantFrom("clock.now", "clock.advance", "faults.dns", "x"),
    params: fc.jsonValue(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        fc.json(),
        almost.map((value) => JSON.stringify(value)),
      ),
      async (line) => {
        const answer = (await order(line)) as Record<string, unknown>;
        expect(answer["jsonrpc"]).toBe("2.0");
        expect("result" in answer !== "error" in answer).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});
