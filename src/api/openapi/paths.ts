/** The REST paths of the kinds: verbs, parameters and kinds, free of the dialect's form. */
import type { KindSpec } from "../kind.ts";
import { gvk, scaleGvk, type OpenApiObject } from "./schemas.ts";

export interface Operation {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  /** `x-kubernetes-action` */
  readonly action: "list" | "get" | "post" | "put" | "patch" | "delete" | "deletecollection";
  readonly id: string;
  /** `x-kubernetes-group-version-kind` */
  readonly gvk: OpenApiObject;
  /** The type of the body and of the answer; by their names in the schema, `…List` for lists. */
  readonly body?: string;
  readonly answer: string;
  readonly query: readonly string[];
}

export interface Path {
  readonly path: string;
  /** `name`, `namespace` */
  readonly parameters: readonly string[];
  readonly operations: readonly Operation[];
}

/** By the body's name. Without Go types upstream has no merge keys for custom resources; kubectl learns from here to send merge patches. */
export const patchTypes: Readonly<Record<string, readonly string[]>> = {
  Patch: [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
  ],
  CustomPatch: ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"],
};

const listQuery = [
  "allowWatchBookmarks",
  "continue",
  "fieldSelector",
  "labelSelector",
  "limit",
  "resourceVersion",
  "resourceVersionMatch",
  "sendInitialEvents",
  "timeoutSeconds",
  "watch",
];
const writeQuery = ["dryRun", "fieldManager", "fieldValidation"];
const deleteQuery = ["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"];

/** Query parameters that are no strings. */
export const queryTypes: Readonly<Record<string, "boolean" | "integer">> = {
  allowWatchBookmarks: "boolean",
  limit: "integer",
  sendInitialEvents: "boolean",
  timeoutSeconds: "integer",
  watch: "boolean",
  force: "boolean",
  gracePeriodSeconds: "integer",
  orphanDependents: "boolean",
};

export function pathsOf(kinds: readonly KindSpec[]): readonly Path[] {
  return kinds.flatMap(kindPaths);
}

function kindPaths(kind: KindSpec): readonly Path[] {
  const { group, version, plural, namespaced, kind: name } = kind.resource;
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const scope = namespaced ? `${root}/namespaces/{namespace}/${plural}` : `${root}/${plural}`;
  const parameters = namespaced ? ["namespace"] : [];
  const id = (verb: string) => `${verb}${capital(groupId(group))}${capital(version)}${namespaced ? "Namespaced" : ""}${name}`;
  const item = kind.definition;
  const patchBody = kind.custom === true ? "CustomPatch" : "Patch";
  const operation = (
    method: Operation["method"],
    action: Operation["action"],
    verb: string,
    query: readonly string[],
    answer: string,
    body?: string,
  ): Operation => ({
    method,
    action,
    id: id(verb),
    gvk: gvk(kind),
    query,
    answer,
    ...(body === undefined ? {} : { body }),
  });
  const all = namespaced
    ? [
        {
          path: `${root}/${plural}`,
          parameters: [],
          operations: [
            {
              ...operation("get", "list", "list", listQuery, `${item}List`),
              id: `${id("list").replace("Namespaced", "")}ForAllNamespaces`,
            },
          ],
        },
      ]
    : [];
  if (kind.verbs?.includes("create") === true)
    return [{ path: scope, parameters, operations: [operation("post", "post", "create", writeQuery, item, item)] }];
  if (kind.verbs !== undefined)
    return [
      ...all,
      { path: scope, parameters, operations: [operation("get", "list", "list", listQuery, `${item}List`)] },
      { path: `${scope}/{name}`, parameters: [...parameters, "name"], operations: [operation("get", "get", "read", [], item)] },
    ];
  return [
    ...all,
    {
      path: scope,
      parameters,
      operations: [
        operation("get", "list", "list", listQuery, `${item}List`),
        operation("post", "post", "create", writeQuery, item, item),
        operation("delete", "deletecollection", "deleteCollection", [...listQuery, ...deleteQuery], "Status", "DeleteOptions"),
      ],
    },
    {
      path: `${scope}/{name}`,
      parameters: [...parameters, "name"],
      operations: [
        operation("get", "get", "read", [], item),
        operation("put", "put", "replace", writeQuery, item, item),
        operation("delete", "delete", "delete", deleteQuery, "Status", "DeleteOptions"),
        operation("patch", "patch", "patch", [...writeQuery, "force"], item, patchBody),
      ],
    },
    ...(["status", "scale"] as const)
      .filter((sub) => kind.subresources.includes(sub))
      .map((sub): Path => {
        const type = sub === "scale" ? "Scale" : item;
        const part = (method: Operation["method"], verb: string, query: readonly string[], body?: string): Operation => ({
          ...operation(method, method as "get", verb, query, type, body),
          id: `${id(verb)}${capital(sub)}`,
          ...(sub === "scale" ? { gvk: scaleGvk } : {}),
        });
        return {
          path: `${scope}/{name}/${sub}`,
          parameters: [...parameters, "name"],
          operations: [
            part("get", "read", []),
            part("put", "replace", writeQuery, type),
            part("patch", "patch", [...writeQuery, "force"], patchBody),
          ],
        };
      }),
  ];
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `apps`, `core`, `discovery.k8s.io` → `discovery` */
function groupId(group: string): string {
  return group === "" ? "core" : (group.split(".")[0] as string);
}
