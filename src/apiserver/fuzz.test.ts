/** Whatever a stranger sends is answered with a Status: never a fault of ours, never an exception. */
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kinds } from "../api/kinds/index.ts";
import type { ApiResponse } from "../api/request.ts";
import { apiVersionOf, resourcePath } from "../api/resources.ts";
import { createLogger } from "../lib/log.ts";
import { readProtobuf } from "./encode/protobuf.ts";
import { TestServer } from "./testing.ts";

const complaints: string[] = [];
const api = new TestServer({ log: createLogger({ level: "error", write: (line) => complaints.push(line) }) });

beforeAll(async () => {
  await api.server.start();
  await api.post("/api/v1/namespaces/default/pods", { metadata: { name: "x" }, spec: { containers: [{ name: "x", image: "x" }] } });
  await api.post("/api/v1/namespaces/default/services", { metadata: { name: "x" }, spec: { ports: [{ port: 1 }] } });
});

afterAll(async () => {
  expect(complaints).toEqual([]);
  await api.server.stop();
});

const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS");
const types = [
  "application/json",
  "application/yaml",
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  "application/apply-patch+yaml",
  "application/vnd.kubernetes.protobuf",
  "",
  "nonsense",
];
/** `runtime.Unknown` of a v1 Pod, up to its object. */
const protobufEnvelope = Buffer.from("k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12", "latin1");

const segment = fc.oneof(
  fc.constantFrom(
    "api",
    "apis",
    "v1",
    "namespaces",
    "default",
    "pods",
    "services",
    "x",
    "status",
    "log",
    "exec",
    "binding",
    "scale",
    "apps",
    "deployments",
    "finalize",
    "eviction",
    "..",
    "__proto__",
    "constructor",
    "openapi",
    "v3",
    "healthz",
  ),
  fc.string({ maxLength: 6 }),
);
const parameter = fc.constantFrom(
  "watch",
  "limit",
  "continue",
  "labelSelector",
  "fieldSelector",
  "resourceVersion",
  "resourceVersionMatch",
  "timeoutSeconds",
  "dryRun",
  "fieldManager",
  "fieldValidation",
  "force",
  "gracePeriodSeconds",
  "propagationPolicy",
  "sendInitialEvents",
  "allowWatchBookmarks",
  "container",
  "tailLines",
  "sinceTime",
  "includeObject",
  "verbose",
);
const value = fc.oneof(
  fc.constantFrom(
    "",
    "1",
    "0",
    "true",
    "All",
    "-1",
    "Strict",
    "Foreground",
    "metadata.name=x",
    "a in (b)",
    "application/yaml",
    "99999999999999999999",
  ),
  fc.string({ maxLength: 12 }),
);
const accept = fc.constantFrom(
  "",
  "*/*",
  "application/json",
  "application/yaml",
  "application/json;as=Table;v=v1;g=meta.k8s.io",
  "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
  "application/vnd.kubernetes.protobuf",
  ";;,=",
);

/** JSON that looks a little like objects of the API. */
const json = fc.letrec((tie) => ({
  leaf: fc.oneof(
    fc.constantFrom("x", "", "default", "v1", "Pod", "Service", 80, -1, 1.5, true, null),
    fc.string({ maxLength: 5 }),
    fc.integer(),
  ),
  object: fc.dictionary(
    fc.oneof(
      fc.constantFrom(
        "metadata",
        "spec",
        "status",
        "name",
        "namespace",
        "labels",
        "ports",
        "port",
        "containers",
        "apiVersion",
        "kind",
        "data",
        "selector",
        "finalizers",
        "ownerReferences",
        "managedFields",
        "fieldsV1",
        "template",
        "type",
        "clusterIP",
        "target",
        "op",
        "path",
        "value",
        "$patch",
        "$setElementOrder/ports",
        "__proto__",
        "annotations",
        "resourceVersion",
        "uid",
        "replicas",
      ),
      fc.string({ maxLength: 4 }),
    ),
    tie("any"),
    { maxKeys: 6 },
  ),
  list: fc.array(tie("any"), { maxLength: 3 }),
  any: fc.oneof({ maxDepth: 5 }, tie("leaf"), tie("object"), tie("list")),
}));

const request = fc.record({
  method,
  path: fc.oneof(
    fc.array(segment, { maxLength: 8 }).map((parts) => `/${parts.join("/")}`),
    fc
      .record({
        kind: fc.constantFrom(...kinds),
        name: fc.option(fc.constantFrom("x", "kubernetes", "default")),
        sub: fc.option(fc.constantFrom("status", "scale", "binding", "log", "eviction", "finalize", "exec"), { freq: 3 }),
      })
      .map(({ kind, name, sub }) =>
        resourcePath(kind.resource, "default", name ?? undefined, name === null ? undefined : (sub ?? undefined)),
      ),
  ),
  query: fc.array(fc.tuple(parameter, value), { maxLength: 3 }),
  type: fc.constantFrom(...types),
  accept,
  body: fc.option(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.concat([protobufEnvelope, bytes])),
      json.any.map((any) => Buffer.from(JSON.stringify(any) ?? "")),
    ),
    { freq: 6 },
  ),
});

/** In the form that was asked for. */
function isRefusal({ body, headers }: ApiResponse): boolean {
  if (headers["content-type"] === "application/vnd.kubernetes.protobuf") return body.kind === "bytes" && isStatus(readProtobuf(body.bytes));
  return body.kind === "object" && isStatus(body.object);
}

function isStatus(body: unknown): boolean {
  return typeof body === "object" && body !== null && (body as { kind?: unknown }).kind === "Status";
}

test("random requests", async () => {
  await fc.assert(
    fc.asyncProperty(request, async ({ method, path, query, type, accept, body }) => {
      const url = new URLSearchParams(query);
      const headers = { accept, "content-type": type };
      const common = { method, path, query: url, headers, user: { name: "a", groups: ["system:masters"] } };
      const response = await api.server.handle({ ...common, ...(body === null ? {} : { body }) });
      if (response.body.kind === "watch") response.body.stream.close();
      expect(response.status, `${method} ${path}?${url}`).toBeLessThan(500);
      if (response.status >= 400 && response.body.kind !== "empty") expect(isRefusal(response), path).toBe(true);
    }),
    { numRuns: 4000 },
  );
}, 60_000);

test("random objects of every kind", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...kinds), json.object, json.object, fc.constantFrom("x", "y"), async (kind, spec, rest, name) => {
      const { resource } = kind;
      const object = { ...(rest as object), apiVersion: apiVersionOf(resource), kind: resource.kind, metadata: { name }, spec };
      const path = resourcePath(resource, "default");
      for (const [verb, url] of [
        ["POST", path],
        ["PUT", `${path}/${name}`],
        ["PATCH", `${path}/${name}?fieldManager=f`],
      ] as const) {
        const type = verb === "PATCH" ? "application/apply-patch+yaml" : "application/json";
        const { status } = await api.ask(verb, url, { body: object, type });
        expect(status, `${verb} ${url} ${JSON.stringify(object)}`).toBeLessThan(500);
      }
    }),
    { numRuns: 1500 },
  );
}, 60_000);

test("bodies nested without end are refused", async () => {
  const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
  expect((await api.ask("POST", "/api/v1/namespaces/default/configmaps", { body: deep })).status).toBe(400);
  expect(
    (await api.ask("PATCH", "/api/v1/namespaces/default/services/x", { body: deep, type: "application/merge-patch+json" })).status,
  ).toBe(400);
  const yaml = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
  expect((await api.ask("POST", "/api/v1/namespaces/default/configmaps", { body: yaml, type: "application/yaml" })).status).toBe(400);
});
