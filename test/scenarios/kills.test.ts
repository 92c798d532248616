/**
 * kill -9 of the API server, under writers and with a watch that resumes. With the 25 kills of the store alone
 * (src/storage/sqlite) these are 100; `bench/soak/kills.ts` does 2,000.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundledApiServer } from "../support/bundled-api-server.ts";
import { Ledger, WatchAccount, type Seen, type State } from "../support/kills/ledger.ts";
import { killRounds } from "../support/kills/rounds.ts";

let work: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), "fairlead-kills-"));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

test("75 kills: nothing acknowledged is lost, the watch has no gap and tells nothing twice", { timeout: 300_000 }, async () => {
  const { program, env } = await bundledApiServer(work);
  const lanes = [38, 37].map((kills, lane) => killRounds({ directory: join(work, `lane-${lane}`), program, env, kills, seed: lane + 1 }));
  const reports = await Promise.all(lanes);
  expect(reports.flatMap(({ faults }) => faults)).toEqual([]);
  // That something was at stake each time.
  for (const { kills, starting, acknowledged, unanswered, events, resumed, relisted } of reports) {
    expect(acknowledged).toBeGreaterThanOrEqual(kills - starting);
    expect([unanswered > 0, events > 0, resumed + relisted >= kills - starting]).toEqual([true, true, true]);
  }
});

const state = (number: number, revision: number): State => ({ number, revision });

test("the account of the writers notices what is lost, changed or back from the dead", () => {
  const faults = (listed: Readonly<Record<string, State>>, prepare: (ledger: Ledger) => void) => {
    const ledger = new Ledger();
    prepare(ledger);
    return ledger.settle(new Map(Object.entries(listed))).length;
  };
  const one = (ledger: Ledger) => ledger.acknowledge("a", state(1, 5));
  expect(faults({ a: state(1, 5) }, one)).toBe(0);
  expect(faults({}, one)).toBe(1);
  expect(faults({ a: state(2, 6) }, one)).toBe(1);
  expect(faults({ a: state(1, 5) }, (ledger) => (one(ledger), ledger.acknowledge("a", undefined)))).toBe(1);
  const open = (ledger: Ledger) => (one(ledger), ledger.leaveOpen("a", 2));
  expect([faults({ a: state(1, 5) }, open), faults({ a: state(2, 6) }, open), faults({ a: state(3, 6) }, open), faults({}, open)]).toEqual([
    0, 0, 1, 1,
  ]);
});

test("the account of the watch notices gaps, repetitions and the wrong kind of event", () => {
  const seen = (...events: readonly Seen[]) => {
    const watch = new WatchAccount();
    watch.list(new Map([["a", state(1, 5)]]), 7, 0);
    return { watch, faults: events.map((event) => watch.take(event)).filter((fault) => fault !== undefined).length };
  };
  const event = (type: Seen["type"], name: string, revision: number): Seen => ({ type, name, number: 1, revision });
  expect(seen(event("MODIFIED", "a", 8), event("ADDED", "b", 9), event("DELETED", "a", 10)).faults).toBe(0);
  expect(seen(event("MODIFIED", "a", 8), event("MODIFIED", "a", 8)).faults).toBe(1);
  expect(seen(event("MODIFIED", "a", 7)).faults).toBe(1);
  expect(seen(event("ADDED", "a", 8)).faults).toBe(1);
  expect(seen(event("DELETED", "c", 8)).faults).toBe(1);
  const { watch } = seen(event("MODIFIED", "a", 9));
  expect(watch.missed([3, 7, 8, 9, 10])).toEqual([8]);
  expect(watch.compare(new Map([["a", state(1, 8)]]))).toHaveLength(1);
});
