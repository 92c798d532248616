import { expect, test } from "vitest";
import type { Flow } from "../host/conntrack/conntrack.ts";
import { fakeConntrack } from "../host/conntrack/fake.ts";
import { FakeClock } from "../lib/clock.ts";
import { UnansweredFlows } from "./unanswered-flows.ts";

const destination = { ip: "10.96.0.1", port: 80 };
const dead = { ip: "10.244.1.1", port: 8080 };
const living = { ip: "10.244.1.2", port: 8080 };

function flow(source: Flow["reply"]["source"], replied: boolean, protocol = 6): Flow {
  const client = { ip: "10.244.9.9", port: 40_000 };
  return { original: { protocol, source: client, destination }, reply: { protocol, source, destination: client }, replied };
}

function start(...flows: Flow[]) {
  const clock = new FakeClock();
  const conntrack = fakeConntrack(flows);
  return { clock, conntrack, unanswered: new UnansweredFlows(conntrack, { clock }) };
}

test("what the endpoint that left has not answered in time goes; answered connections and those of others stay", () => {
  const [stuck, open, other, datagrams] = [flow(dead, false), flow(dead, true), flow(living, false), flow(dead, false, 17)];
  const { clock, conntrack, unanswered } = start(stuck, open, other, datagrams);
  unanswered.left([{ destination, source: dead }]);
  clock.advance(99);
  expect(conntrack.flows).toContain(stuck);
  clock.advance(1);
  expect(conntrack.flows).toEqual([open, other, datagrams]);
});

test("an attempt that is answered meanwhile stays", () => {
  const { clock, conntrack, unanswered } = start(flow(dead, false));
  unanswered.left([{ destination, source: dead }]);
  const answered = flow(dead, true);
  conntrack.flows.splice(0, 1, answered);
  clock.advance(5000);
  expect(conntrack.flows).toEqual([answered]);
});

test("many changes cost few passes, and the fewer the more a pass costs", () => {
  const { clock, conntrack, unanswered } = start();
  const passesIn = (ms: number, costMs: number) => {
    let passes = 0;
    conntrack.count = () => {
      passes += 1;
      clock.advance(costMs);
      return 0;
    };
    const end = clock.monotonic() + ms;
    while (clock.monotonic() < end) {
      unanswered.left([{ destination, source: dead }]);
      clock.advance(10);
    }
    return passes;
  };
  expect(passesIn(3000, 0)).toBeCloseTo(30, -1);
  expect(passesIn(10_000, 50)).toBeCloseTo(10, -1);
});

test("a table that cannot be read is tried again at the next change; after stop nothing is", () => {
  const { clock, conntrack, unanswered } = start(flow(dead, false));
  const { count } = conntrack;
  conntrack.count = () => {
    throw new Error("EPERM");
  };
  unanswered.left([{ destination, source: dead }]);
  clock.advance(1000);
  conntrack.count = count;
  unanswered.left([{ destination, source: dead }]);
  unanswered.stop();
  clock.advance(5000);
  expect(conntrack.flows.length).toBe(1);
});
