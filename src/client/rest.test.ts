import { afterEach, describe, expect, test } from "vitest";
import type { KubeObject } from "../api/object.ts";
import type { WatchEvent } from "../api/request.ts";
import { configMaps, deployments, namespaces, services } from "../api/resources.ts";
import { isConflict, isNotFound, StatusError } from "../api/status.ts";
import type { ConfigMap } from "../api/types.ts";
import { createFakeApi, type FakeApi } from "./fake-api.ts";
import { inProcessTransport } from "./in-process.ts";
import { createClient } from "./rest.ts";
import type { Transport } from "./transport.ts";
import { warningTexts } from "./warnings.ts";

const user = { name: "test", groups: [] };
const transports: Transport[] = [];
afterEach(async () => {
  for (const transport of transports.splice(0)) await transport.close();
});

function start(encode: boolean) {
  const api: FakeApi = createFakeApi([configMaps, namespaces, services, deployments]);
  const transport = inProcessTransport(api, user, { encode });
  transports.push(transport);
  return { api, transport, client: createClient(transport, { fieldManager: "tester" }) };
}

const map = (name: string, data: Record<string, string> = {}): ConfigMap => ({ metadata: { name, namespace: "a" }, data });

describe.each([
  ["by reference", false],
  ["as bytes", true],
])("in process, %s", (_, encode) => {
  test("objects come and go, frozen, with what kind they are", async () => {
    const { client, api } = start(encode);
    const made = await client.create(configMaps, map("x", { k: "1" }));
    expect(made).toMatchObject({ kind: "ConfigMap", apiVersion: "v1", data: { k: "1" } });
    expect(Object.isFrozen(made.data)).toBe(true);
    expect(await client.get(configMaps, { namespace: "a", name: "x" })).toEqual(made);
    const changed = await client.update(configMaps, { ...made, data: { k: "2" } });
    expect(
      await client.patch(configMaps, { namespace: "a", name: "x" }, "application/merge-patch+json", { data: { l: "3" } }),
    ).toMatchObject({
      data: { k: "2", l: "3" },
    });
    await expect(client.update(configMaps, changed)).rejects.toSatisfy(isConflict);
    expect((await client.list(configMaps, { namespace: "a" })).items.map((item) => item.metadata.name)).toEqual(["x"]);
    await client.delete(configMaps, { namespace: "a", name: "x" });
    await expect(client.get(configMaps, { namespace: "a", name: "x" })).rejects.toSatisfy(isNotFound);
    expect(api.requests).toEqual([
      "POST /api/v1/namespaces/a/configmaps?fieldManager=tester",
      "GET /api/v1/namespaces/a/configmaps/x",
      "PUT /api/v1/namespaces/a/configmaps/x?fieldManager=tester",
      "PATCH /api/v1/namespaces/a/configmaps/x?fieldManager=tester",
      "PUT /api/v1/namespaces/a/configmaps/x?fieldManager=tester",
      "GET /api/v1/namespaces/a/configmaps",
      "DELETE /api/v1/namespaces/a/configmaps/x",
      "GET /api/v1/namespaces/a/configmaps/x",
    ]);
  });

  test("options become parameters, and a patch names its type", async () => {
    const { client, api } = start(encode);
    const types: (string | undefined)[] = [];
    api.intercept = ({ headers }) => void types.push(headers["content-type"]);
    await client.create(namespaces, { metadata: { name: "n" } }, { fieldManager: "me", dryRun: true, fieldValidation: "Strict" });
    await client.patch(namespaces, { name: "n" }, "application/apply-patch+yaml", {}, { force: true });
    await client.updateStatus(namespaces, { metadata: { name: "n" } });
    await client.update(namespaces, { metadata: { name: "n" } }, { subresource: "finalize" });
    await client.list(deployments, { labelSelector: "a=b,c", fieldSelector: "metadata.name=x", limit: 5, resourceVersion: "0" });
    expect(api.requests).toEqual([
      "POST /api/v1/namespaces?fieldManager=me&fieldValidation=Strict&dryRun=All",
      "PATCH /api/v1/namespaces/n?fieldManager=tester&force=true",
      "PUT /api/v1/namespaces/n/status?fieldManager=tester",
      "PUT /api/v1/namespaces/n/finalize?fieldManager=tester",
      "GET /apis/apps/v1/deployments?labelSelector=a%3Db%2Cc&fieldSelector=metadata.name%3Dx&limit=5&resourceVersion=0",
    ]);
    expect(types).toEqual(["application/json", "application/apply-patch+yaml", "application/json", "application/json", undefined]);
  });

  test("a watch gives events until its signal, then ends in peace", async () => {
    const { client } = start(encode);
    const abort = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const event of client.watch(configMaps, { namespace: "a", signal: abort.signal })) {
        expect(Object.isFrozen(event.object.metadata)).toBe(true);
        seen.push(`${event.type} ${event.object.metadata.name}`);
        if (seen.length === 3) abort.abort();
      }
    })();
    await new Promise((resolve) => setImmediate(resolve));
    const made = await client.create(configMaps, map("x"));
    await client.update(configMaps, made);
    await client.delete(configMaps, { namespace: "a", name: "x" });
    await watching;
    expect(seen).toEqual(["ADDED x", "MODIFIED x", "DELETED x"]);
  });

  test("an ERROR event is thrown", async () => {
    const { client, api } = start(encode);
    const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", code: 410, reason: "Expired", message: "too old" };
    const error: WatchEvent = { type: "ERROR", object: status };
    api.intercept = () => ({ status: 200, headers: {}, body: { kind: "bytes", bytes: Buffer.from(`${JSON.stringify(error)}\n`) } });
    const watching = (async () => {
      for await (const event of client.watch(configMaps)) expect(event).toBeUndefined();
    })();
    await expect(watching).rejects.toMatchObject({ code: 410, reason: "Expired" });
  });

  test("leaving a watch ends it on the server", async () => {
    const { client, api } = start(encode);
    await client.create(configMaps, map("x"));
    let ended = false;
    const handle = api.handle.bind(api);
    api.handle = async (request) => {
      const response = await handle(request);
      if (response.body.kind !== "watch") return response;
      const { stream } = response.body;
      const close = stream.close.bind(stream);
      stream.close = () => {
        ended = true;
        close();
      };
      return response;
    };
    for await (const event of client.watch(configMaps, { sendInitialEvents: true })) {
      expect(event.type).toBe("ADDED");
      break;
    }
    expect(ended).toBe(true);
  });

  test("warnings are handed on; other paths and pages are read", async () => {
    const { client, api } = start(encode);
    const warnings: string[] = [];
    api.intercept = ({ path, body }) =>
      path === "/readyz"
        ? { status: 200, headers: { "content-type": "text/plain" }, body: { kind: "bytes", bytes: Buffer.from("ok") } }
        : path === "/version"
          ? { status: 200, headers: { "content-type": "application/json" }, body: { kind: "object", object: { major: "1" } } }
          : {
              status: 201,
              headers: { warning: ['299 - "unknown field \\"x\\""', '299 - "b"'] },
              body: { kind: "object", object: body as object },
            };
    if (!encode) await client.create(configMaps, map("x"), { onWarning: (text) => warnings.push(text) });
    expect(warnings).toEqual(encode ? [] : ['unknown field "x"', "b"]);
    expect(await client.raw("/readyz?verbose")).toBe("ok");
    expect(await client.raw("/version")).toEqual({ major: "1" });
    const chunks: string[] = [];
    for await (const chunk of client.stream("/readyz?x=y")) chunks.push(Buffer.from(chunk).toString());
    expect(chunks).toEqual(["ok"]);
    expect(api.requests.at(-1)).toBe("GET /readyz?x=y");
  });

  test("a refusal that is no Status carries its text", async () => {
    const { client, api } = start(encode);
    api.intercept = () => ({ status: 502, headers: {}, body: { kind: "bytes", bytes: Buffer.from("<html>bad gateway") } });
    await expect(client.raw("/x")).rejects.toMatchObject({ code: 502, message: "the server answered 502: <html>bad gateway" });
    api.intercept = () => ({ status: 503, headers: {}, body: { kind: "empty" } });
    await expect(client.raw("/x")).rejects.toMatchObject({ code: 503, message: "the server answered 503" });
  });

  test("items of a list say what they are, even where the server leaves it out", async () => {
    const { client, api } = start(encode);
    const items = [{ metadata: { name: "x" } }, { metadata: { name: "y" } }];
    api.intercept = () => ({ status: 200, headers: {}, body: { kind: "object", object: { metadata: {}, items } } });
    const list = await client.list(deployments);
    expect(list.items.map((item) => `${item.apiVersion} ${item.kind}`)).toEqual(["apps/v1 Deployment", "apps/v1 Deployment"]);
  });

  test("a closed transport refuses", async () => {
    const { client, transport } = start(encode);
    await transport.close();
    await expect(client.list(configMaps)).rejects.toBeInstanceOf(StatusError);
  });
});

test("by reference an object is the very one that the server has", async () => {
  const { client } = start(false);
  await client.create(configMaps, map("x"));
  const get = (): Promise<KubeObject> => client.get(configMaps, { namespace: "a", name: "x" });
  expect(await get()).toBe(await get());
});

test.each([
  [undefined, []],
  ['299 - "a"', ["a"]],
  ['299 - "a, \\"b\\"", 299 fairlead "c" "Sat, 01 Jan 2026 00:00:00 GMT"', ['a, "b"', "c"]],
  ['199 - "other", 299 - ""', [""]],
  ["nonsense", []],
])("warning header %j", (header, texts) => expect(warningTexts(header)).toEqual(texts));
