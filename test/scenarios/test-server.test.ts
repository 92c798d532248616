/** `fairlead test-server` as programs in other languages start it: what it prints, what it takes, and how it ends. */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { repository } from "../support/program.ts";

const program = join(repository, "bin/fairlead");
const started: ChildProcessWithoutNullStreams[] = [];

function start(...args: readonly string[]): { readonly child: ChildProcessWithoutNullStreams; readonly next: () => Promise<string> } {
  const child = spawn(program, ["test-server", ...args]);
  started.push(child);
  const lines = createInterface({ input: child.stdout });
  return { child, next: reader(lines) };
}

function reader(lines: Interface): () => Promise<string> {
  const iterator = lines[Symbol.asyncIterator]();
  return async () => (await iterator.next()).value ?? "";
}

afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

test("it prints a kubeconfig's path, and ends with its standard input, leaving nothing", { timeout: 60_000 }, async () => {
  const { child, next } = start();
  const kubeconfig = await next();
  expect([kubeconfig, existsSync(kubeconfig)]).toEqual([expect.stringMatching(/\/kubeconfig$/), true]);
  child.stdin.end();
  expect(await once(child, "exit")).toEqual([0, null]);
  expect(existsSync(dirname(kubeconfig))).toBe(false);
});

test("it takes orders: time, faults, questions; and says what is wrong with one", { timeout: 60_000 }, async () => {
  const { child, next } = start("-o", "json");
  const order = async (request: object | string): Promise<Record<string, unknown>> => {
    child.stdin.write(`${typeof request === "string" ? request : JSON.stringify({ jsonrpc: "2.0", id: 1, ...request })}\n`);
    return JSON.parse(await next()) as Record<string, unknown>;
  };
  // Before it is ready: it waits.
  child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: "early", method: "clock.freeze" })}\n`);
  expect(JSON.parse(await next())).toMatchObject({ kubeconfig: expect.stringMatching(/kubeconfig$/), pid: child.pid });
  expect(JSON.parse(await next())).toEqual({ jsonrpc: "2.0", id: "early", result: null });
  const before = (await order({ method: "clock.now" }))["result"] as { ms: number };
  expect(await order({ method: "clock.advance", params: { ms: 60_000 } })).toMatchObject({ result: { ms: before.ms + 60_000 } });
  const ask = { method: "resolve", params: { name: "kubernetes.default.svc.cluster.local" } };
  expect(await order(ask)).toMatchObject({ result: { answers: [expect.stringMatching(/^127\./)] } });
  expect(await order({ method: "faults.dns", params: { answer: "NXDOMAIN" } })).toMatchObject({ result: { fault: 1 } });
  expect(await order(ask)).toMatchObject({ result: { answers: [] } });
  expect(await order({ method: "faults.end", params: { fault: 1 } })).toMatchObject({ result: null });
  expect(await order(ask)).toMatchObject({ result: { answers: [expect.anything()] } });
  expect(await order({ method: "apply", params: { manifests: "kind: Nonsense" } })).toMatchObject({ error: { data: "FL_MANIFEST" } });
  expect(await order({ method: "clock.advance", params: { ms: "soon" } })).toMatchObject({
    error: { message: expect.stringMatching(/ms must be a number/) },
  });
  expect(await order({ method: "toString" })).toMatchObject({ error: { code: -32601 } });
  expect(await order("{")).toMatchObject({ id: null, error: { code: -32700 } });
  expect(await order("[]")).toMatchObject({ error: { code: -32600 } });
});

test("it ends when who started it is killed, even if its input stays open", { timeout: 60_000 }, async () => {
  // The shell is the parent; the input is this test's, and stays.
  const shell = spawn("sh", ["-c", `"$0" test-server <&3 & wait`, program], { stdio: ["ignore", "pipe", "inherit", "pipe"] });
  started.push(shell as unknown as ChildProcessWithoutNullStreams);
  const kubeconfig = await reader(createInterface({ input: shell.stdout as NodeJS.ReadableStream }))();
  expect(existsSync(kubeconfig)).toBe(true);
  shell.kill("SIGKILL");
  expect(
    await eventually(
      async () => existsSync(dirname(kubeconfig)),
      (there) => !there,
    ),
  ).toBe(false);
});
