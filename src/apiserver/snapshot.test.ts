import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createMemoryBackend } from "../storage/memory/memory-backend.ts";
import { restoredSnapshot } from "../storage/snapshot/restore.ts";
import { StoredVersion, encodeValue } from "./watch-cache-object.ts";
import { bytesOf, events, TestServer } from "./testing.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const body = (name: string, text: string) => ({ kind: "ConfigMap", apiVersion: "v1", metadata: { name }, data: { text } });

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

test("a cluster's objects are the same after a restore; whoever watched the old one begins anew", async () => {
  const old = new TestServer();
  await old.server.start();
  await old.post(maps, body("a", "1"));
  await old.post("/api/v1/namespaces/default/services", { metadata: { name: "web" }, spec: { ports: [{ port: 80 }] } });
  await old.put(`${maps}/a`, body("a", "2"));
  const { status, headers, body: file } = await old.raw("GET", "/debug/snapshot");
  expect([status, headers["content-type"]]).toEqual([200, "application/x-ndjson"]);
  const saved = await bytesOf(file);
  const { body: later } = await old.post(maps, body("b", "after the snapshot"));

  const { revision, entries } = await restoredSnapshot(once(saved));
  const fresh = new TestServer({ backend: createMemoryBackend({ entries, revision }) });
  await fresh.server.start();
  const [before, after] = [(await old.get(`${maps}/a`)).body, (await fresh.get(`${maps}/a`)).body];
  expect(after).toEqual(before);
  const service = "/api/v1/namespaces/default/services/web";
  expect((await fresh.get(service)).body).toEqual((await old.get(service)).body);
  expect((await fresh.get(`${maps}/b`)).status).toBe(404);

  const seen = later.metadata.resourceVersion as string;
  const [told] = await events(await fresh.raw("GET", `${maps}?watch=true&resourceVersion=${seen}`), 1);
  expect([told?.type, told?.object.code, told?.object.reason]).toEqual(["ERROR", 410, "Expired"]);
  expect((await fresh.get(`${maps}?resourceVersion=${seen}&resourceVersionMatch=Exact`)).status).toBe(410);
  const { body: created } = await fresh.post(maps, body("c", "new"));
  expect(Number(created.metadata.resourceVersion)).toBeGreaterThan(Number(seen));
  await Promise.all([old.server.stop(), fresh.server.stop()]);
});

test("a snapshot is an administrator's to take: it has the Secrets", async () => {
  const api = new TestServer();
  await api.server.start();
  const user = { name: "somebody", groups: ["system:authenticated"] };
  expect((await api.get("/debug/snapshot", { user })).status).toBe(403);
  await api.server.stop();
});

test("what is held gives back what was stored, to the byte", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.boolean(), fc.integer({ min: 1 }), (rest, empty, revision) => {
      const metadata = empty ? {} : { name: "x", labels: { a: '"metadata":{"resourceVersion":"1"' } };
      const value = encodeValue({ kind: "K", apiVersion: "v1", ...rest, metadata } as never);
      expect(new StoredVersion("x", value, 1, revision).value().toString()).toBe(value.toString());
    }),
  );
});
