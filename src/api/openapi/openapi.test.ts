import { describe, expect, test } from "vitest";
import { kinds } from "../kinds/index.ts";
import { openApiV2 } from "./v2.ts";
import { openApiV2Protobuf } from "./v2-protobuf.ts";
import { openApiV3, openApiV3Index } from "./v3.ts";

type Tree = { readonly [key: string]: Tree } & { readonly [key: string]: unknown };

function refsIn(value: unknown, found = new Set<string>()): Set<string> {
  if (typeof value !== "object" || value === null) return found;
  for (const [key, child] of Object.entries(value)) {
    if (key === "$ref" && typeof child === "string") found.add(String(child));
    else refsIn(child, found);
  }
  return found;
}

describe("/openapi/v2", () => {
  const document = openApiV2(kinds, "v1.36.0") as unknown as Tree;

  test("every reference leads to a definition", () => {
    const dangling = [...refsIn(document)].filter((ref) => document["definitions"]?.[ref.replace("#/definitions/", "")] === undefined);
    expect(dangling).toEqual([]);
  });

  test("types, markers and kinds are there", () => {
    const spec = document["definitions"]?.["io.k8s.api.core.v1.ServiceSpec"] as Tree;
    expect(spec["properties"]?.["ports"]).toEqual({
      type: "array",
      items: { $ref: "#/definitions/io.k8s.api.core.v1.ServicePort" },
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["port", "protocol"],
      "x-kubernetes-patch-merge-key": "port",
      "x-kubernetes-patch-strategy": "merge",
    });
    expect(document["definitions"]?.["io.k8s.api.core.v1.Service"]?.["x-kubernetes-group-version-kind"]).toEqual([
      { group: "", kind: "Service", version: "v1" },
    ]);
  });

  test("kubectl finds dryRun and fieldValidation on PATCH", () => {
    const patch = document["paths"]?.["/api/v1/namespaces/{namespace}/services/{name}"]?.["patch"] as unknown as {
      parameters: { name: string }[];
    };
    expect(patch.parameters.map(({ name }) => name)).toEqual(["body", "dryRun", "fieldManager", "fieldValidation", "force"]);
  });

  test("operation ids are unique", () => {
    const ids = Object.values(document["paths"] as Tree).flatMap((path) =>
      Object.values(path).flatMap((operation) => (operation as { operationId?: string }).operationId ?? []),
    );
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toContain("listCoreV1ServiceForAllNamespaces");
    expect(ids).toContain("createAppsV1NamespacedDeployment");
  });

  test("as protobuf it is well-formed down to its strings", () => {
    const bytes = openApiV2Protobuf(document);
    const top = fields(bytes);
    expect(top.map(([number]) => number)).toEqual([1, 2, 8, 9]);
    expect(Buffer.from(top[0]?.[1] ?? []).toString()).toBe("2.0");
    const names = fields(top[3]?.[1] as Uint8Array).map(([, entry]) => Buffer.from(fields(entry)[0]?.[1] ?? []).toString());
    expect(names).toContain("io.k8s.api.core.v1.Service");
  });
});

/** Length-delimited fields of a message. */
function fields(bytes: Uint8Array): [number, Uint8Array][] {
  const out: [number, Uint8Array][] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] as number;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const length = varint();
    expect(tag & 7).toBe(2);
    out.push([tag >> 3, bytes.subarray(at, at + length)]);
    at += length;
  }
  expect(at).toBe(bytes.length);
  return out;
}

describe("/openapi/v3", () => {
  test("the index names a document for each group version", () => {
    expect(openApiV3Index(kinds, () => "abc")).toMatchObject({
      paths: {
        "api/v1": { serverRelativeURL: "/openapi/v3/api/v1?hash=abc" },
        "apis/apps/v1": { serverRelativeURL: "/openapi/v3/apis/apps/v1?hash=abc" },
      },
    });
    expect(openApiV3(kinds, "gone/v1", "v1.36.0")).toBeUndefined();
  });

  test.each(["v1", "apps/v1", "discovery.k8s.io/v1", "coordination.k8s.io/v1"])(
    "every reference of %s leads to a schema",
    (groupVersion) => {
      const document = openApiV3(kinds, groupVersion, "v1.36.0") as unknown as { components: { schemas: Tree } };
      const dangling = [...refsIn(document)].filter(
        (ref) => document.components.schemas[ref.replace("#/components/schemas/", "")] === undefined,
      );
      expect(dangling).toEqual([]);
    },
  );
});
