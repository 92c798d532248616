/**
 * How long the API server holds its thread without a break: lists in every form, watches that begin with everything, pages, old revisions,
 * and the load of a large store. The clients are in another thread. Each is done several times; printed is the longest turn of the
 * event loop of each time, in processor time. Exit code 1 when the median of one is longer than 5 ms.
 *
 *   slices.ts [--objects 10000] [--limit 5] [--times 5]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import type { ApiServer } from "../../src/apiserver/server-options.ts";
import { createApiServer } from "../../src/apiserver/server.ts";
import { createMemoryBackend } from "../../src/storage/memory/memory-backend.ts";
import type { Entry } from "../../src/storage/backend.ts";
import { median } from "./ratios.ts";
import { threadTime } from "./thread-time.ts";
import type { Order } from "./slices-client.ts";

const { values } = parseArgs({
  options: {
    objects: { type: "string", default: "10000" },
    limit: { type: "string", default: "5" },
    times: { type: "string", default: "5" },
  },
});
const objects = Number(values.objects);
const limit = Number(values.limit);

const now = threadTime();

/** Turns of the event loop, each measured. Immediates keep it from sleeping. */
class Turns {
  #last = now();
  #longest = 0;
  #stopped = false;

  constructor() {
    this.#turn();
  }

  readonly #turn = (): void => {
    const time = now();
    this.#longest = Math.max(this.#longest, time - this.#last);
    this.#last = time;
    if (!this.#stopped) setImmediate(this.#turn);
  };

  /** The longest turn of this, in milliseconds. */
  async during(work: () => Promise<unknown>): Promise<number> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#longest = 0;
    await work();
    await new Promise((resolve) => setImmediate(resolve));
    return this.#longest;
  }

  stop(): void {
    this.#stopped = true;
  }
}

function stored(count: number): Entry[] {
  const metadata = (kind: string, name: string, i: number) => ({
    name,
    namespace: `ns-${i % 20}`,
    uid: `00000000-0000-0000-0000-${String(i).padStart(12, "0")}`,
    creationTimestamp: "2026-01-01T00:00:00Z",
    labels: { app: `web-${i}`, tier: i % 10 === 0 ? "front" : "back" },
    managedFields: [
      {
        manager: "bench",
        operation: "Update",
        apiVersion: "v1",
        time: "2026-01-01T00:00:00Z",
        fieldsType: "FieldsV1",
        fieldsV1: { "f:spec": { [`f:${kind}`]: {} } },
      },
    ],
  });
  return Array.from({ length: count }, (_, i) => {
    const spec = {
      type: "ClusterIP",
      clusterIP: `10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`,
      clusterIPs: [`10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`],
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      internalTrafficPolicy: "Cluster",
      sessionAffinity: "None",
      selector: { app: `web-${i}` },
      ports: [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }],
    };
    const value = { kind: "Service", apiVersion: "v1", metadata: metadata("ports", `web-${i}`, i), spec, status: { loadBalancer: {} } };
    return {
      key: `/registry/services/ns-${i % 20}/web-${i}`,
      value: Buffer.from(JSON.stringify(value)),
      createRevision: i + 2,
      modRevision: i + 2,
    };
  });
}

const work = mkdtempSync(join(tmpdir(), "fairlead-slices-"));
const turns = new Turns();
const token = "slices";
let tooLong = 0;

function report(name: string, longest: readonly number[]): void {
  const middle = median(longest);
  if (middle > limit) tooLong += 1;
  const all = longest.map((one) => one.toFixed(1)).join(" ");
  console.log(`${name.padEnd(54)} ${middle.toFixed(1).padStart(5)} ms${middle > limit ? " !" : "  "}  (${all})`);
}

async function repeated(name: string, act: () => Promise<unknown>): Promise<void> {
  const longest: number[] = [];
  for (let time = 0; time < Number(values.times); time++) longest.push(await turns.during(act));
  report(name, longest);
}

function apiServer(entries: readonly Entry[]): ApiServer {
  return createApiServer({
    backend: createMemoryBackend({ entries }),
    serviceClusterIPRanges: ["10.96.0.0/12"],
    pkiDirectory: work,
    tokens: (given) => (given === token ? { name: "bench", groups: ["system:masters"] } : undefined),
  });
}

try {
  const entries = stored(objects);
  // Not the very first one, most of whose time goes into the program's own code.
  await apiServer([]).start();
  const starts: number[] = [];
  let server = apiServer(entries);
  for (let time = 0; time < Number(values.times); time++) {
    server = apiServer(entries);
    starts.push(await turns.during(() => server.start()));
  }
  report(`start with ${objects} Services`, starts);
  const { port } = await server.listen();
  const client = new Worker(new URL("./slices-client.ts", import.meta.url), {
    workerData: { port, ca: server.certificateAuthority, token },
  });
  const ask = (order: Order): Promise<void> => {
    client.postMessage(order);
    return new Promise((resolve, reject) => {
      client.once("message", () => resolve());
      client.removeAllListeners("error").once("error", reject);
    });
  };
  const all = "/api/v1/services";
  const table = "application/json;as=Table;v=v1;g=meta.k8s.io";
  const step = (name: string, order: Order) => repeated(name, () => ask(order));
  await step("list, JSON", { path: all });
  await step("list, JSON, gzip", { path: all, headers: { "accept-encoding": "gzip" } });
  await step("list, as a table", { path: all, headers: { accept: table } });
  await step("list, metadata alone", {
    path: all,
    headers: { accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io" },
  });
  await step("list, protobuf", { path: all, headers: { accept: "application/vnd.kubernetes.protobuf" } });
  await step("list by a label", { path: `${all}?labelSelector=tier%3Dfront` });
  await step("a page of 500", { path: `${all}?limit=500` });
  await step("watch that begins with everything", { path: `${all}?watch=true&resourceVersion=0`, lines: objects });
  await step("WatchList", {
    path: `${all}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
    lines: objects + 1,
  });
  await step("8 lists at once", { path: all, times: 8 });
  await step("100 watches that begin with everything in a namespace", {
    path: "/api/v1/namespaces/ns-1/services?watch=true",
    lines: Math.floor(objects / 20),
    times: 100,
  });
  await step("snapshot", { path: "/debug/snapshot" });
  await client.terminate();
  turns.stop();
  await server.stop();
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(tooLong === 0 ? `no turn over ${limit} ms` : `${tooLong} with turns over ${limit} ms`);
if (tooLong > 0) process.exitCode = 1;
