/**
 * What a request is about, read from its method, path and query alone (apiserver `pkg/endpoints/request/requestinfo.go`).
 * Pure: authorization, metrics and routing all start here.
 */
import type { ApiRequest } from "../api/request.ts";

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";

export interface ResourceRequest {
  readonly kind: "resource";
  readonly verb: Verb;
  readonly group: string;
  readonly version: string;
  /** Absent: of the cluster, or of all namespaces. */
  readonly namespace?: string;
  readonly plural: string;
  readonly name?: string;
  readonly subresource?: string;
  /** What follows the subresource: `services/web/proxy/some/path`. */
  readonly rest: readonly string[];
}

export interface PathRequest {
  readonly kind: "path";
  /** Lower-case method: what `nonResourceURLs` rules call the verb. */
  readonly verb: string;
  readonly path: string;
}

export type RequestInfo = ResourceRequest | PathRequest;

/** Subresources of a namespace itself; anything else after its name is a resource within it. */
const namespaceSubresources: ReadonlySet<string> = new Set(["status", "finalize"]);

export function requestInfo({ method, path, query }: Pick<ApiRequest, "method" | "path" | "query">): RequestInfo {
  const other: PathRequest = { kind: "path", verb: method.toLowerCase(), path };
  const parts = splitPath(path);
  const [root, ...afterRoot] = parts;
  const [group, version, ...segments] = root === "api" ? ["", ...afterRoot] : root === "apis" ? afterRoot : [];
  if (group === undefined || version === undefined || segments.length === 0) return other;
  const target = readTarget(segments);
  // A proxied OPTIONS is its backend's to answer, and as safe as a GET (RFC 9110 9.2.1): who may do the one may do the other.
  const asked = method === "OPTIONS" && target.subresource === "proxy" ? "GET" : method;
  const verb = verbOf(asked, target.name !== undefined, isTrue(query.get("watch")));
  return verb === undefined ? other : { kind: "resource", verb, group, version, ...target };
}

function splitPath(path: string): string[] {
  return path.split("/").filter((part) => part !== "");
}

type Target = Pick<ResourceRequest, "namespace" | "plural" | "name" | "subresource" | "rest">;

function readTarget(segments: readonly string[]): Target {
  const [first, second, third] = segments;
  const scoped = first === "namespaces" && second !== undefined && third !== undefined && !namespaceSubresources.has(third);
  const [plural = "", name, subresource, ...rest] = scoped ? segments.slice(2) : segments;
  return {
    plural,
    rest,
    ...(scoped ? { namespace: second } : {}),
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
  };
}

function verbOf(method: ApiRequest["method"], named: boolean, watch: boolean): Verb | undefined {
  switch (method) {
    case "GET":
    case "HEAD":
      if (watch) return "watch";
      return named ? "get" : "list";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return named ? "delete" : "deletecollection";
    case "OPTIONS":
      return undefined;
    default:
      return method satisfies never;
  }
}

/** A flag in a query: present and not `false` or `0` (apimachinery `pkg/runtime/conversion.go`). An empty value is false. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== "" && value !== "0" && value.toLowerCase() !== "false";
}
