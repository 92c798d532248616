/** JSON patch (RFC 6902) with JSON pointers (RFC 6901). */
import { tooLargeError } from "../status.ts";
import { inapplicablePatch, malformedPatch } from "./errors.ts";
import { isObject, jsonEqual, ownKey, setKey } from "./json-value.ts";

/** As upstream's `--max-json-patch-operations`. */
const maxOperations = 10_000;

interface Operation {
  readonly op: "add" | "remove" | "replace" | "move" | "copy" | "test";
  readonly path: readonly string[];
  readonly from?: readonly string[];
  readonly value?: unknown;
}

/**
 * Applies all operations or none. The input is never changed. Throws a 400 StatusError for a malformed patch, 413 for
 * too many operations, 422 when one does not fit the object.
 */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  const operations = read(patch);
  let document: unknown = structuredClone(target);
  for (const operation of operations) document = apply(document, operation);
  return document;
}

function read(patch: unknown): readonly Operation[] {
  if (!Array.isArray(patch)) throw malformedPatch("a JSON patch is an array of operations");
  if (patch.length > maxOperations)
    throw tooLargeError(
      `Request entity is too large: The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`,
    );
  return patch.map(readOperation);
}

function readOperation(raw: unknown): Operation {
  if (!isObject(raw)) throw malformedPatch("an operation is an object");
  const { op, path, from, value } = raw;
  if (typeof path !== "string") throw malformedPatch("an operation has a path");
  switch (op) {
    case "remove":
      return { op, path: pointer(path) };
    case "add":
    case "replace":
    case "test":
      if (!Object.hasOwn(raw, "value")) throw malformedPatch(`operation ${op} ${path} has a value`);
      return { op, path: pointer(path), value };
    case "move":
    case "copy":
      if (typeof from !== "string") throw malformedPatch(`operation ${op} ${path} has a from`);
      return { op, path: pointer(path), from: pointer(from) };
    default:
      throw malformedPatch(`unknown operation ${JSON.stringify(op)}`);
  }
}

function pointer(text: string): readonly string[] {
  if (text === "") return [];
  if (!text.startsWith("/") || /~(?![01])/.test(text)) throw malformedPatch(`${JSON.stringify(text)} is no JSON pointer`);
  return text
    .slice(1)
    .split("/")
    .map((part) => part.replace(/~1/g, "/").replace(/~0/g, "~"));
}

function apply(document: unknown, operation: Operation): unknown {
  const { path } = operation;
  switch (operation.op) {
    case "add":
      return put(document, path, operation.value, "add");
    case "replace":
      return put(document, path, operation.value, "replace");
    case "remove":
      return take(document, path);
    case "test":
      if (!jsonEqual(get(document, path), operation.value))
        throw inapplicablePatch(`testing path ${shown(path)}: the value is another one`);
      return document;
    case "copy":
      return put(document, path, structuredClone(get(document, operation.from ?? [])), "add");
    case "move": {
      const from = operation.from ?? [];
      if (path.length > from.length && from.every((part, i) => part === path[i]))
        throw inapplicablePatch(`${shown(from)} cannot be moved into itself`);
      const value = get(document, from);
      return put(take(document, from), path, value, "add");
    }
    default:
      return operation.op satisfies never;
  }
}

const shown = (path: readonly string[]) => JSON.stringify(`/${path.join("/")}`);

function get(document: unknown, path: readonly string[]): unknown {
  let at = document;
  for (const part of path) {
    if (Array.isArray(at)) at = at[index(part, at.length - 1, path)];
    else if (isObject(at) && Object.hasOwn(at, part)) at = at[part];
    else throw inapplicablePatch(`path ${shown(path)} does not exist`);
  }
  return at;
}

function index(part: string, max: number, path: readonly string[]): number {
  const number = /^(0|[1-9]\d{0,8})$/.test(part) ? Number(part) : -1;
  if (number < 0 || number > max) throw inapplicablePatch(`path ${shown(path)} does not exist: ${JSON.stringify(part)} is no index there`);
  return number;
}

function put(document: unknown, path: readonly string[], value: unknown, op: "add" | "replace"): unknown {
  const last = path.at(-1);
  if (last === undefined) return value;
  const parent = get(document, path.slice(0, -1));
  if (Array.isArray(parent)) {
    if (op === "replace") parent[index(last, parent.length - 1, path)] = value;
    else parent.splice(last === "-" ? parent.length : index(last, parent.length, path), 0, value);
  } else if (isObject(parent)) {
    if (op === "replace" && ownKey(parent, last) === undefined) throw inapplicablePatch(`path ${shown(path)} does not exist`);
    setKey(parent as Record<string, unknown>, last, value);
  } else throw inapplicablePatch(`path ${shown(path)} does not exist`);
  return document;
}

function take(document: unknown, path: readonly string[]): unknown {
  get(document, path);
  const last = path.at(-1);
  if (last === undefined) return null;
  const parent = get(document, path.slice(0, -1));
  if (Array.isArray(parent)) parent.splice(index(last, parent.length - 1, path), 1);
  else delete (parent as Record<string, unknown>)[last];
  return document;
}
