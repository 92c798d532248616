import { describe, expect, test } from "vitest";
import { events, namespaces } from "../api/resources.ts";
import { unavailableError } from "../api/status.ts";
import type { Pod } from "../api/types.ts";
import { FakeClock } from "../lib/clock.ts";
import { EventCorrelator } from "./event-correlator.ts";
import { createEventRecorder } from "./event-recorder-impl.ts";
import { createFakeApi } from "./fake-api.ts";
import { inProcessTransport } from "./in-process.ts";
import { createClient } from "./rest.ts";

const pod: Pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "web-1", namespace: "a", uid: "u", resourceVersion: "7" } };

function start() {
  const api = createFakeApi([events, namespaces]);
  const client = createClient(inProcessTransport(api, { name: "test", groups: [] }), { fieldManager: "tester" });
  const clock = new FakeClock(Date.UTC(2026, 0, 1));
  const recorder = createEventRecorder(client, "kubelet", { clock, host: "node-1" });
  const written = async () => {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    return (await client.list(events)).items;
  };
  return { api, client, clock, recorder, written };
}

test("an Event says what happened to what, where and when", async () => {
  const { recorder, written } = start();
  recorder.event(pod, "Warning", "Failed", "no such command");
  const [event] = await written();
  expect(event).toMatchObject({
    metadata: { name: expect.stringMatching(/^web-1\.[0-9a-f]{16}$/) as string, namespace: "a" },
    involvedObject: { kind: "Pod", apiVersion: "v1", namespace: "a", name: "web-1", uid: "u", resourceVersion: "7" },
    type: "Warning",
    reason: "Failed",
    message: "no such command",
    count: 1,
    firstTimestamp: "2026-01-01T00:00:00Z",
    lastTimestamp: "2026-01-01T00:00:00Z",
    source: { component: "kubelet", host: "node-1" },
    reportingComponent: "kubelet",
    reportingInstance: "node-1",
  });
});

test("repeats are counted in one Event, which is made anew when it is gone", async () => {
  const { client, clock, recorder, written } = start();
  for (let i = 0; i < 3; i++) {
    recorder.event(pod, "Normal", "Pulled", "image");
    clock.advance(1000);
  }
  recorder.event(pod, "Normal", "Started", "container");
  const found = await written();
  expect(found.map((event) => [event.reason, event.count, event.firstTimestamp, event.lastTimestamp])).toEqual([
    ["Pulled", 3, "2026-01-01T00:00:00Z", "2026-01-01T00:00:02Z"],
    ["Started", 1, "2026-01-01T00:00:03Z", "2026-01-01T00:00:03Z"],
  ]);
  await client.delete(events, { namespace: "a", name: found[0]?.metadata.name ?? "" });
  recorder.event(pod, "Normal", "Pulled", "image");
  expect((await written()).map((event) => [event.reason, event.count])).toEqual([
    ["Started", 1],
    ["Pulled", 1],
  ]);
});

test("an Event about an object without a namespace lives in default", async () => {
  const { recorder, written } = start();
  recorder.event({ apiVersion: "v1", kind: "Node", metadata: { name: "n" } }, "Normal", "Starting", "node");
  expect((await written())[0]?.metadata.namespace).toBe("default");
});

test("a server that refuses loses Events and harms nobody; too many waiting are lost", async () => {
  const { api, recorder, written } = start();
  api.intercept = () => unavailableError("away");
  for (let i = 0; i < 1100; i++) recorder.event({ ...pod, metadata: { ...pod.metadata, uid: `u${i}` } }, "Normal", "R", "m");
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  api.intercept = undefined;
  recorder.event(pod, "Normal", "R", "after");
  expect((await written()).map((event) => event.message)).toContain("after");
});

describe("correlation", () => {
  const occurrence = (message: string) => ({ about: "Pod/a/x", type: "Normal", reason: "R", message });

  test("more than ten different messages of one reason are told as one", () => {
    const correlator = new EventCorrelator();
    const keys = Array.from({ length: 12 }, (_, i) => {
      const found = correlator.correlate(occurrence(`m${i}`), i);
      if (found.kind === "create") correlator.recorded(found.key, { namespace: "a", name: `e${i}`, count: 1 });
      return found;
    });
    expect(keys.slice(0, 10).every((found) => found.kind === "create" && !found.message.startsWith("("))).toBe(true);
    expect(keys[10]).toMatchObject({ kind: "create", message: "(combined from similar events): m10" });
    expect(keys[11]).toMatchObject({ kind: "repeat", message: "(combined from similar events): m11", event: { name: "e10" } });
    expect(correlator.correlate(occurrence("later"), 700_000)).toMatchObject({ kind: "create", message: "later" });
  });

  test("an object has 25 Events at once, and then one in five minutes", () => {
    const correlator = new EventCorrelator();
    const kinds = Array.from({ length: 26 }, () => correlator.correlate(occurrence("m"), 0).kind);
    expect([kinds.filter((kind) => kind === "drop").length, kinds.at(-1)]).toEqual([1, "drop"]);
    expect(correlator.correlate({ ...occurrence("m"), about: "Pod/a/y" }, 0).kind).toBe("create");
    expect(correlator.correlate(occurrence("m"), 299_000).kind).toBe("drop");
    expect(correlator.correlate(occurrence("m"), 301_000).kind).toBe("create");
  });
});
