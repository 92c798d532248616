import { assert, array, boolean, property, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { FakeClock } from "../lib/clock.ts";
import { PodAddresses } from "./addresses.ts";
import { LineSplitter, parseEntry } from "./logs/log-format.ts";
import { bindConflict, foreignAnswer, takenPorts } from "./port-conflict.ts";
import type { RunningContainer } from "./runtime/runtime.ts";
import { stopContainer, type StopOptions } from "./stop-container.ts";

test("addresses are handed out in turn, freed ones last, all of them in the end", () => {
  const addresses = new PodAddresses("127.97.0.0/29");
  const all = Array.from({ length: 6 }, (_, i) => addresses.allocate(`u${i}`));
  expect(all).toEqual([1, 2, 3, 4, 5, 6].map((n) => `127.97.0.${n}`));
  expect(addresses.allocate("x")).toBeUndefined();
  addresses.release("127.97.0.3", "somebody else");
  expect(addresses.allocate("x")).toBeUndefined();
  addresses.release("127.97.0.3", "u2");
  expect(addresses.allocate("x")).toBe("127.97.0.3");
});

test("an address is not given out again while fresh ones are left", () => {
  const addresses = new PodAddresses("127.97.0.0/24");
  const first = addresses.allocate("a") ?? "";
  addresses.release(first, "a");
  expect(addresses.allocate("b")).not.toBe(first);
  expect(addresses.claim("127.97.0.9", "c")).toBe(true);
  expect(addresses.claim("127.97.0.9", "d")).toBe(false);
  expect(addresses.claim("10.0.0.1", "e")).toBe(false);
  expect(addresses.allocate("f")).toBe("127.97.0.10");
});

test("whatever a container writes, in whatever pieces, is read back from its log", () => {
  assert(
    property(array(uint8Array({ maxLength: 40 })), boolean(), (chunks, long) => {
      const pieces = long ? [...chunks, new Uint8Array(40_000).fill(65), ...chunks] : chunks;
      const splitter = new LineSplitter("stdout");
      const lines = [...pieces.flatMap((chunk) => splitter.push(chunk, 0)), ...splitter.end(0)];
      const text = Buffer.concat(lines.map((line) => parseEntry(line.subarray(0, -1))?.text ?? Buffer.from("torn")));
      const written = Buffer.concat(pieces);
      const ended = written.length === 0 || written[written.length - 1] === 10;
      return text.equals(ended ? written : Buffer.concat([written, Buffer.from("\n")]));
    }),
  );
  expect(parseEntry(Buffer.from("no log line"))).toBeUndefined();
});

const [a, b] = [
  { namespace: "n", name: "a", uid: "ua" },
  { namespace: "n", name: "b", uid: "ub" },
];

test.each([
  ["Error: listen EADDRINUSE: address already in use 0.0.0.0:8080\n    at x (net.js:1908:16)", [8080]],
  ["Error: listen EADDRINUSE: address already in use :::8080", [8080]],
  ["listen tcp :9090: bind: address already in use", [9090]],
  ["OSError: [Errno 98] Address already in use", [80]],
  ["something else :8080", []],
])("%s: %j", (tail, ports) => {
  expect(takenPorts(tail, { name: "c", ports: [{ containerPort: 80 }] })).toEqual(ports);
});

test("who is in the way is told by name", () => {
  const at = (address: string, pod?: typeof a, self = false) => ({ address, port: 80, pod, self });
  expect(bindConflict(b, "127.97.0.2", 80, [at("0.0.0.0", a)])).toBe(
    "pod n/b cannot listen on 127.97.0.2:80: pod n/a listens on port 80 of all addresses; in loopback mode bind to $HOST",
  );
  expect(bindConflict(b, "127.97.0.2", 80, [at("127.97.0.1", a)])).toBe(
    "pod n/b cannot listen on port 80 of all addresses: pod n/a listens on 127.97.0.1:80; in loopback mode bind to $HOST",
  );
  expect(bindConflict(b, "127.97.0.2", 80, [at("127.96.0.1", undefined, true)])).toContain("Fairlead itself (for a Service's address)");
  expect(bindConflict(b, "127.97.0.2", 80, [at("0.0.0.0")])).toContain("another program of this machine");
  expect(bindConflict(b, "127.97.0.2", 80, [at("0.0.0.0", b)])).toBeUndefined();
  expect(foreignAnswer(b, "127.97.0.2", 80, [])).toBeUndefined();
  expect(foreignAnswer(b, "127.97.0.2", 80, [at("127.97.0.2")])).toBeUndefined();
  expect(foreignAnswer(b, "127.97.0.2", 80, [at("::", b)])).toBeUndefined();
  expect(foreignAnswer(b, "127.97.0.2", 80, [at("::", a)])).toContain("127.97.0.2:80 is answered by pod n/a");
});

/** What a container that ignores SIGTERM gets, with times. */
async function stopping(
  options: Partial<StopOptions>,
  advance: number,
  change?: (stop: ReturnType<typeof stopContainer>) => void,
): Promise<string[]> {
  const clock = new FakeClock(0);
  const seen: string[] = [];
  let exit: () => void = () => undefined;
  const running: RunningContainer = {
    id: "x",
    exited: new Promise((resolve) => (exit = () => resolve({ exitCode: 137 }))),
    drained: Promise.resolve(),
    signal: (name) => {
      seen.push(`${name} ${clock.now()}`);
      if (name === "SIGKILL") exit();
    },
    exec: () => Promise.reject(new Error("no")),
    attach: () => Promise.reject(new Error("no")),
  };
  const stop = stopContainer({ running, clock, deadline: 5000, delayMs: 0, stopSignal: "SIGTERM", ...options });
  change?.(stop);
  await clock.advanceAsync(advance);
  return seen;
}

test("SIGTERM, and SIGKILL when the grace period is over", async () => {
  expect(await stopping({}, 10_000)).toEqual(["SIGTERM 0", "SIGKILL 5000"]);
  expect(await stopping({ delayMs: 100, stopSignal: "SIGUSR1" }, 10_000)).toEqual(["SIGUSR1 100", "SIGKILL 5000"]);
});

test("a preStop hook counts into the grace period, but leaves 2 s at least", async () => {
  const hook = (ms: number, seen: number[]) => async (timeoutMs: number) => {
    seen.push(timeoutMs, ms);
  };
  const seen: number[] = [];
  expect(await stopping({ preStop: hook(0, seen), deadline: 1000 }, 10_000)).toEqual(["SIGTERM 0", "SIGKILL 2000"]);
  expect(seen[0]).toBe(1000);
});

test("a shorter grace period is taken over", async () => {
  expect(await stopping({}, 10_000, (stop) => stop.shorten(1000))).toEqual(["SIGTERM 0", "SIGKILL 1000"]);
  expect(await stopping({ delayMs: 100 }, 10_000, (stop) => stop.shorten(9000))).toEqual(["SIGTERM 100", "SIGKILL 5000"]);
});
