import { expect, test } from "vitest";
import { FakeClock } from "../lib/clock.ts";
import { atRest, progressOf, waitUntil, type Watched } from "./wait.ts";

class Source implements Watched {
  readonly handlers = new Set<() => void>();
  /** How often a new handler is told of what is there already. */
  readonly initial: number;
  constructor(initial = 0) {
    this.initial = initial;
  }
  addHandlers({ added }: { added: () => void }): () => void {
    this.handlers.add(added);
    for (let i = 0; i < this.initial; i++) added();
    return () => void this.handlers.delete(added);
  }
  change(): void {
    for (const handler of this.handlers) handler();
  }
}

test("what is so already needs no waiting, and leaves no handler behind", async () => {
  const source = new Source();
  expect(await waitUntil([source], () => true, { clock: new FakeClock(), timeout: 1000 })).toBe(true);
  expect(source.handlers.size).toBe(0);
});

test("what becomes so while the handlers hear of what is there ends the wait", async () => {
  const [first, second] = [new Source(1), new Source(1)];
  let looks = 0;
  const clock = new FakeClock();
  expect(await waitUntil([first, second], () => ++looks === 3, { clock, timeout: 1000 })).toBe(true);
  expect([first.handlers.size, second.handlers.size, clock.pending]).toEqual([0, 0, 0]);
});

test("a change, the time, or the signal ends it", async () => {
  const source = new Source();
  const clock = new FakeClock();
  let ready = false;
  const changed = waitUntil([source], () => ready, { clock, timeout: 1000 });
  ready = true;
  source.change();
  expect(await changed).toBe(true);
  const late = waitUntil([source], () => false, { clock, timeout: 1000 });
  clock.advance(1000);
  expect(await late).toBe(false);
  const stop = new AbortController();
  const stopped = waitUntil([source], () => false, { clock, timeout: 1000, signal: stop.signal });
  stop.abort();
  expect(await stopped).toBe(false);
  expect(source.handlers.size).toBe(0);
});

test("the cluster rests when every pod is ready and an endpoint, or says why it is not", () => {
  const labels = { app: "web" };
  const pod = (name: string, ready: boolean, reason?: string) => ({
    metadata: { namespace: "shop", name, labels },
    spec: { containers: [{ name: "c" }] },
    status: {
      phase: "Running",
      podIP: `10.0.0.${name}`,
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      containerStatuses: [
        {
          name: "c",
          image: "",
          imageID: "",
          ready,
          restartCount: 0,
          state: reason === undefined ? { running: {} } : { waiting: { reason } },
        },
      ],
    },
  });
  const service = { metadata: { namespace: "shop", name: "web" }, spec: { selector: labels } };
  const slice = (...addresses: string[]) => ({
    metadata: { namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  });
  const seen = {
    deployments: [],
    statefulSets: [],
    daemonSets: [],
    pods: [pod("1", true), pod("2", true)],
    services: [service],
    slices: [slice("10.0.0.1")],
  };
  expect(progressOf(seen, 0)).toEqual({ wantedPods: 2, readyPods: 2, endpointsCurrent: false, stuck: [] });
  expect(atRest(progressOf(seen, 0))).toBe(false);
  expect(atRest(progressOf({ ...seen, slices: [slice("10.0.0.1", "10.0.0.2")] }, 0))).toBe(true);
  const stuck = progressOf({ ...seen, pods: [pod("1", true), pod("2", false, "ErrImagePull")] }, 0);
  expect(stuck).toEqual({ wantedPods: 2, readyPods: 1, endpointsCurrent: true, stuck: ["shop/2 ErrImagePull"] });
  expect(atRest(stuck)).toBe(true);
});
