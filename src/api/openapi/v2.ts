/** `/openapi/v2`: one Swagger 2.0 document for everything. */
import type { KindSpec } from "../kind.ts";
import { pathsOf, patchTypes, queryTypes, type Operation, type Path } from "./paths.ts";
import { extraTypes, openApiName, schemasOf, v2Dialect, type OpenApiObject } from "./schemas.ts";

export function openApiV2(kinds: readonly KindSpec[], version: string): OpenApiObject {
  return {
    swagger: "2.0",
    info: { title: "Kubernetes", version },
    paths: Object.fromEntries(pathsOf(kinds).map((path) => [path.path, pathItem(path)])),
    definitions: schemasOf(kinds, extraTypes, v2Dialect),
  };
}

function pathItem({ parameters, operations }: Path): OpenApiObject {
  return {
    ...Object.fromEntries(operations.map((operation) => [operation.method, operationObject(operation)])),
    ...(parameters.length === 0
      ? {}
      : { parameters: parameters.map((name) => ({ uniqueItems: true, type: "string", name, in: "path", required: true })) }),
  };
}

function operationObject(operation: Operation): OpenApiObject {
  const query = operation.query.map((name) => ({ uniqueItems: true, type: queryTypes[name] ?? "string", name, in: "query" }));
  const body =
    operation.body === undefined
      ? []
      : [
          {
            name: "body",
            in: "body",
            required: operation.action !== "delete" && operation.action !== "deletecollection",
            schema: typeRef(operation.body),
          },
        ];
  return {
    consumes: patchTypes[operation.body ?? ""] ?? ["*/*"],
    produces: ["application/json", "application/yaml"],
    operationId: operation.id,
    parameters: [...body, ...query],
    responses: { "200": { description: "OK", schema: typeRef(operation.answer) } },
    "x-kubernetes-action": operation.action,
    "x-kubernetes-group-version-kind": operation.gvk,
  };
}

function typeRef(name: string): OpenApiObject {
  if (name === "Patch") return { type: "object" };
  const base = name.endsWith("List") ? `${openApiName(name.slice(0, -4))}List` : openApiName(name);
  return { $ref: `${v2Dialect.prefix}${base}` };
}
