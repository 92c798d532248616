/** Bodies of requests: JSON, YAML or protobuf bytes, or an object that a client in this process passes. */
import type { ApiRequest } from "../../api/request.ts";
import { badRequestError, unsupportedMediaTypeError, type StatusError } from "../../api/status.ts";
import { errorMessage } from "../../lib/errors.ts";

/** Deeper documents are refused before anything walks them. */
const maxDepth = 512;

/** Media type without parameters, in lower case; empty when there is none. */
export function mediaType(request: ApiRequest): string {
  return (request.headers["content-type"]?.split(";")[0] ?? "").trim().toLowerCase();
}

export function hasBody(request: ApiRequest): boolean {
  return request.body !== undefined && !(request.body instanceof Uint8Array && request.body.length === 0);
}

/**
 * The value of a body; `expected` is the kind that errors name. Throws 415 for another type, 400 for what
 * cannot be read.
 */
export async function readBody(request: ApiRequest, expected: string): Promise<unknown> {
  const type = mediaType(request);
  switch (type) {
    case "":
    case "application/json":
    case "application/x-www-form-urlencoded":
      return readJson(request, expected);
    case "application/yaml":
      return request.body instanceof Uint8Array ? readYaml(request.body, expected) : request.body;
    case "application/vnd.kubernetes.protobuf":
      return request.body instanceof Uint8Array ? (await import("./protobuf.ts")).readProtobuf(request.body) : request.body;
    default:
      throw unsupportedMediaTypeError(
        "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
      );
  }
}

export function readJson(request: ApiRequest, expected: string): unknown {
  if (!(request.body instanceof Uint8Array)) return request.body;
  const text = Buffer.from(request.body.buffer, request.body.byteOffset, request.body.byteLength).toString("utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw unreadable(expected, `json parse error: ${errorMessage(error)}`);
  }
  return shallowEnough(value, expected);
}

/** YAML, of which JSON is a part. Anchors may not blow a small document up. */
export async function readYaml(bytes: Uint8Array, expected: string): Promise<unknown> {
  const { parse } = await import("yaml");
  let value: unknown;
  try {
    value = parse(Buffer.from(bytes).toString("utf8"), {
      maxAliasCount: 100,
      uniqueKeys: true,
      logLevel: "error",
      schema: "core",
      merge: true,
    });
  } catch (error) {
    throw unreadable(expected, `error converting YAML to JSON: yaml: ${errorMessage(error)}`);
  }
  return shallowEnough(value, expected);
}

function shallowEnough(value: unknown, expected: string): unknown {
  if (isDeeper(value, maxDepth)) throw unreadable(expected, "json: exceeded max depth");
  return value;
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((child) => isDeeper(child, depth - 1));
}

function unreadable(expected: string, why: string): StatusError {
  return badRequestError(`the object provided is unrecognized (must be of type ${expected}): couldn't get version/kind; ${why}`);
}
