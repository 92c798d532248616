/**
 * How many writes a second the API server takes with 64 clients at once, and how much of what its parts could do that is: the store alone, the
 * server over a store in memory, the server over SQLite on this machine's disk. In process: HTTP is not in it. Prints rates and ratios.
 *
 *   sh bin/node bench/apiserver/writes.ts [seconds]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiServer } from "../../src/apiserver/server.ts";
import type { ApiHandler, ApiRequest } from "../../src/api/request.ts";
import type { Backend } from "../../src/storage/backend.ts";
import { createMemoryBackend } from "../../src/storage/memory/memory-backend.ts";
import { createSqliteBackend } from "../../src/storage/sqlite/sqlite-backend.ts";

const seconds = Number(process.argv[2] ?? 3);
const clients = 64;
const user = { name: "bench", groups: ["system:masters", "system:authenticated"] };

interface Rate {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** `clients` loops of `once` for a while. */
async function rate(once: (client: number, turn: number) => Promise<unknown>): Promise<Rate> {
  const took: number[] = [];
  const end = performance.now() + seconds * 1000;
  const loop = async (client: number) => {
    for (let turn = 0; performance.now() < end; turn++) {
      const began = performance.now();
      await once(client, turn);
      took.push(performance.now() - began);
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: clients }, (_, client) => loop(client)));
  const elapsed = (performance.now() - began) / 1000;
  took.sort((a, b) => a - b);
  const at = (share: number) => took[Math.floor(took.length * share)] ?? 0;
  return { perSecond: took.length / elapsed, p50: at(0.5), p99: at(0.99) };
}

function request(method: ApiRequest["method"], path: string, body: object): ApiRequest {
  return { method, path, query: new URLSearchParams(), headers: { "content-type": "application/json" }, body, user };
}

async function send(server: ApiHandler, method: ApiRequest["method"], path: string, body: object): Promise<void> {
  const { status } = await server.handle(request(method, path, body));
  if (status >= 300) throw new Error(`${method} ${path}: ${status}`);
}

const maps = "/api/v1/namespaces/default/configmaps";
const data = { text: "x".repeat(200) };

async function throughServer(backend: Backend): Promise<{ readonly create: Rate; readonly update: Rate }> {
  const server = createApiServer({ backend, serviceClusterIPRanges: ["10.96.0.0/16"] });
  await server.start();
  const create = await rate((client, turn) => send(server, "POST", maps, { metadata: { name: `c-${client}-${turn}` }, data }));
  const update = await rate((client, turn) =>
    send(server, "PUT", `${maps}/c-${client}-0`, { metadata: { name: `c-${client}-0` }, data: { text: String(turn) } }),
  );
  await server.stop();
  return { create, update };
}

async function alone(backend: Backend): Promise<Rate> {
  await backend.open();
  const value = Buffer.from(JSON.stringify({ kind: "ConfigMap", metadata: { name: "x", uid: "u".repeat(36) }, data }));
  const result = await rate((client, turn) => backend.write({ key: `/registry/configmaps/default/c-${client}-${turn}`, value, expect: 0 }));
  await backend.close();
  return result;
}

const root = mkdtempSync(join(tmpdir(), "fairlead-bench-"));
try {
  const store = await alone(createSqliteBackend({ directory: join(root, "alone") }));
  const memory = await throughServer(createMemoryBackend());
  const sqlite = await throughServer(createSqliteBackend({ directory: join(root, "server") }));
  const line = (name: string, { perSecond, p50, p99 }: Rate) =>
    console.log(`${name.padEnd(28)} ${perSecond.toFixed(0).padStart(8)}/s   p50 ${p50.toFixed(2)} ms   p99 ${p99.toFixed(2)} ms`);
  line("sqlite alone, create", store);
  line("server on memory, create", memory.create);
  line("server on memory, update", memory.update);
  line("server on sqlite, create", sqlite.create);
  line("server on sqlite, update", sqlite.update);
  console.log(`server on sqlite / sqlite alone:  ${(sqlite.create.perSecond / store.perSecond).toFixed(2)}`);
  console.log(`server on sqlite / on memory:     ${(sqlite.create.perSecond / memory.create.perSecond).toFixed(2)}`);
} finally {
  rmSync(root, { recursive: true });
}
