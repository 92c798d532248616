import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { kinds } from "../../api/kinds/index.ts";
import { apiVersionOf, resourcePath } from "../../api/resources.ts";
import { arbitraryObject } from "../../api/schema/arbitrary.cases.ts";
import { bytesOf, TestServer } from "../testing.ts";
import { readProtobuf } from "./protobuf.ts";
import { writeProtobuf } from "./protobuf-write.ts";

const written = kinds.filter(({ resource }) => resource.group !== "apiextensions.k8s.io");

test.each(written.map((kind) => [`${apiVersionOf(kind.resource)} ${kind.resource.kind}`, kind] as const))(
  "%s: what is read is what was written",
  (_, { definition, resource }) => {
    const head = { apiVersion: apiVersionOf(resource), kind: resource.kind };
    fc.assert(
      fc.property(arbitraryObject(definition), (fields) => {
        const object = { ...head, ...fields };
        expect(readProtobuf(writeProtobuf(object))).toEqual(object);
      }),
      { numRuns: 25 },
    );
  },
);

describe("the server", () => {
  const type = "application/vnd.kubernetes.protobuf";
  const ask = { headers: { accept: type } };
  let api: TestServer;
  beforeEach(async () => {
    api = new TestServer();
    await api.server.start();
  });
  afterEach(() => api.server.stop());

  test("answers an object, a list of any length and metadata alone", async () => {
    await api.post("/api/v1/namespaces/default/configmaps", { metadata: { name: "a" }, data: { k: "v" } });
    const one = await api.raw("GET", "/api/v1/namespaces/default/configmaps/a", ask);
    expect(one.headers["content-type"]).toBe(type);
    expect(readProtobuf(await bytesOf(one.body))).toEqual((await api.get("/api/v1/namespaces/default/configmaps/a")).body);

    const list = await bytesOf((await api.raw("GET", "/api/v1/services", ask)).body);
    const { metadata, items } = (await api.get("/api/v1/services")).body;
    const typed = (item: object) => ({ ...item, apiVersion: "v1", kind: "Service" });
    expect(readList(list)).toEqual({ kind: "ServiceList", metadata, items: items.map(typed) });

    const partial = { headers: { accept: `${type};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1` } };
    const names = readList(await bytesOf((await api.raw("GET", "/api/v1/services", partial)).body), "Service");
    expect(names.kind).toBe("PartialObjectMetadataList");
    expect(names.items.map(({ metadata: { name } }) => name)).toEqual(["kubernetes"]);
  });

  test("answers lists of every kind, the roles among them", async () => {
    for (const { resource, definition } of written) {
      const answer = await api.raw("GET", resourcePath(resource), ask);
      const { items } = readList(await bytesOf(answer.body), definition);
      expect(items.length, resource.plural).toBe((await api.get(resourcePath(resource))).body.items.length);
    }
  });

  test("answers an error, and says what has no such form", async () => {
    const missing = await api.raw("GET", "/api/v1/namespaces/default/configmaps/none", ask);
    expect([missing.status, missing.headers["content-type"]]).toEqual([404, type]);
    expect(readProtobuf(await bytesOf(missing.body))).toMatchObject({ kind: "Status", reason: "NotFound", code: 404 });
    const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    expect((await api.get(path, ask)).status).toBe(406);
    expect((await api.get(path, { headers: { accept: `${type}, application/json` } })).status).toBe(200);
  });

  test("prefers JSON where the client likes both as well", async () => {
    const type = async (accept: string) => (await api.raw("GET", "/api/v1/services", { headers: { accept } })).headers["content-type"];
    expect(await type("application/vnd.kubernetes.protobuf, application/json")).toBe("application/json");
    expect(await type("application/vnd.kubernetes.protobuf,*/*")).toBe("application/json");
    expect(await type("application/vnd.kubernetes.protobuf, application/json;q=0.5")).toBe("application/vnd.kubernetes.protobuf");
  });

  test("frames the events of a watch", async () => {
    const watch = await api.raw("GET", "/api/v1/services?watch=true", ask);
    expect(watch.headers["content-type"]).toBe(`${type};stream=watch`);
    if (watch.body.kind !== "watch") throw new Error("no watch");
    expect(watch.body.stream.framed).toBe(true);
    for await (const event of watch.body.stream) {
      const frame = Buffer.from(event.bytes());
      expect(frame.readUInt32BE(0)).toBe(frame.length - 4);
      const at = frame.indexOf("k8s\0");
      expect(frame.subarray(4, 11).toString()).toBe("\n\x05ADDED");
      expect(readProtobuf(frame.subarray(at))).toMatchObject({ kind: "Service", metadata: { name: "kubernetes" } });
      break;
    }
  });
});

interface ReadList {
  readonly kind: string;
  readonly metadata: unknown;
  // oxlint-disable-next-line typescript/no-explicit-any -- objects of any kind
  readonly items: any[];
}

/** A list, item by item: each is put into an envelope of its own and read as an object. */
function readList(bytes: Buffer, itemKind?: string): ReadList {
  const envelope = fieldsOf(bytes.subarray(4));
  const [version, kind] = fieldsOf(envelope[0]?.[1] as Buffer).map(([, text]) => text.toString());
  const of = itemKind ?? (kind as string).replace(/List$/, "");
  const parts = fieldsOf(envelope.find(([number]) => number === 2)?.[1] as Buffer);
  const meta = parts.find(([number]) => number === 1)?.[1] as Buffer;
  const item = (message: Buffer, as: string) => readProtobuf(inEnvelope(version as string, as, message));
  const { apiVersion: _, kind: _kind, ...metadata } = item(meta, "ListMeta") as Record<string, unknown>;
  return { kind: kind as string, metadata, items: parts.filter(([number]) => number === 2).map(([, message]) => item(message, of)) };
}

function inEnvelope(apiVersion: string, kind: string, message: Buffer): Buffer {
  const field = (number: number, content: Buffer) => Buffer.concat([Buffer.from([number * 8 + 2, ...varint(content.length)]), content]);
  const type = Buffer.concat([field(1, Buffer.from(apiVersion)), field(2, Buffer.from(kind))]);
  return Buffer.concat([Buffer.from("k8s\0"), field(1, type), field(2, message)]);
}

const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))]);

/** Fields of a message all of whose fields are length-delimited. */
function fieldsOf(message: Buffer): (readonly [number, Buffer])[] {
  const fields: (readonly [number, Buffer])[] = [];
  for (let at = 0; at < message.length;) {
    const number = (message[at++] as number) >> 3;
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] as number;
      size += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    fields.push([number, message.subarray(at, at + size)]);
    at += size;
  }
  return fields;
}
