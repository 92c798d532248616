/** `/openapi/v3`: an index of group versions, and one document for each (KEP-2896). */
import type { KindSpec } from "../kind.ts";
import { apiVersionOf } from "../resources.ts";
import { pathsOf, patchTypes, queryTypes, type Operation, type Path } from "./paths.ts";
import { extraTypes, groupVersions, openApiName, schemasOf, v3Dialect, type OpenApiObject } from "./schemas.ts";

/** `{ "paths": { "api/v1": { "serverRelativeURL": "/openapi/v3/api/v1?hash=…" } } }`; `hashOf` gives the document's hash. */
export function openApiV3Index(kinds: readonly KindSpec[], hashOf: (groupVersion: string) => string): OpenApiObject {
  return {
    paths: Object.fromEntries(
      groupVersions(kinds).map((groupVersion) => {
        const path = pathOf(groupVersion);
        return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hashOf(groupVersion)}` }];
      }),
    ),
  };
}

/** `v1` → `api/v1`, `apps/v1` → `apis/apps/v1` */
export function pathOf(groupVersion: string): string {
  return groupVersion.includes("/") ? `apis/${groupVersion}` : `api/${groupVersion}`;
}

/** The document of one group version, as `apiVersion` writes it; undefined when nothing is served there. */
export function openApiV3(kinds: readonly KindSpec[], groupVersion: string, version: string): OpenApiObject | undefined {
  const own = kinds.filter(({ resource }) => apiVersionOf(resource) === groupVersion);
  if (own.length === 0) return undefined;
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version },
    paths: Object.fromEntries(pathsOf(own).map((path) => [path.path, pathItem(path)])),
    components: { schemas: schemasOf(own, extraTypes, v3Dialect) },
  };
}

function pathItem({ parameters, operations }: Path): OpenApiObject {
  return {
    ...Object.fromEntries(operations.map((operation) => [operation.method, operationObject(operation)])),
    ...(parameters.length === 0
      ? {}
      : { parameters: parameters.map((name) => ({ name, in: "path", required: true, schema: { type: "string", uniqueItems: true } })) }),
  };
}

function operationObject(operation: Operation): OpenApiObject {
  return {
    operationId: operation.id,
    parameters: operation.query.map((name) => ({ name, in: "query", schema: { type: queryTypes[name] ?? "string", uniqueItems: true } })),
    ...(operation.body === undefined ? {} : { requestBody: { content: requestContent(operation.body) } }),
    responses: { "200": { description: "OK", content: content(["application/json", "application/yaml"], typeRef(operation.answer)) } },
    "x-kubernetes-action": operation.action,
    "x-kubernetes-group-version-kind": operation.gvk,
  };
}

function requestContent(body: string): OpenApiObject {
  const patches = patchTypes[body];
  return patches === undefined ? content(["*/*"], typeRef(body)) : content(patches, { type: "object" });
}

function content(types: readonly string[], schema: OpenApiObject): OpenApiObject {
  return Object.fromEntries(types.map((type) => [type, { schema }]));
}

function typeRef(name: string): OpenApiObject {
  const list = name.endsWith("List") && name !== "List";
  const base = list ? `${openApiName(name.slice(0, -4))}List` : openApiName(name);
  return { $ref: `${v3Dialect.prefix}${base}` };
}
