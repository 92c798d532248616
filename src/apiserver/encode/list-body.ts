/**
 * Lists as bodies, in every form: piece by piece, so that a long one neither holds the thread up nor fills the memory.
 * Whole objects go out as the bytes that the store has; what must be made of each object (rows, metadata, YAML) is made
 * a few milliseconds' worth at a time.
 */
import type { KubeObject } from "../../api/object.ts";
import type { ApiBody } from "../../api/request.ts";
import { apiVersionOf } from "../../api/resources.ts";
import { partialObjectMetadata, tableOf, type TableOptions } from "../../api/table.ts";
import type { ListMeta } from "../../api/types.ts";
import type { KindSpec } from "../../api/kind.ts";
import { longWork } from "../long-work.ts";
import type { CachedObject, StoreList } from "../store.ts";
import type { Representation } from "./accept.ts";
import { typeOfKind } from "./protobuf-plan.ts";

export interface ListView extends Representation {
  readonly kind: KindSpec;
  /** Milliseconds since the epoch, for ages in tables. */
  readonly now: number;
  readonly includeObject: NonNullable<TableOptions["includeObject"]>;
}

/** What all forms of lists are: members that the head announces, and a text between head, members and end. */
interface Form {
  readonly start: string;
  readonly between: string;
  readonly end: string;
  readonly members: readonly CachedObject[];
  readonly encode: (member: CachedObject) => Uint8Array;
}

export async function listBody(list: StoreList, view: ListView): Promise<ApiBody> {
  const metadata = listMeta(list);
  switch (view.form) {
    case "table":
      return tableBody(await inRowOrder(list.items, view.kind), metadata, view);
    case "partial": {
      const head = { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1", metadata };
      return body(head, list.items, view, (item) => partialObjectMetadata(item.object()));
    }
    case "object": {
      const { resource } = view.kind;
      const head = { kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata };
      return body(head, list.items, view, (item) => item.object());
    }
    default:
      return view.form satisfies never;
  }
}

function listMeta(list: StoreList): ListMeta {
  return {
    resourceVersion: String(list.revision),
    ...(list.continue === undefined ? {} : { continue: list.continue }),
    ...(list.remaining === undefined ? {} : { remainingItemCount: list.remaining }),
  };
}

interface ListHead {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: ListMeta;
}

function body(
  head: ListHead,
  items: readonly CachedObject[],
  { encoding, form }: ListView,
  member: (item: CachedObject) => object,
): ApiBody {
  const encode = form === "object" ? (item: CachedObject) => item.bytes() : (item: CachedObject) => json(member(item));
  return {
    kind: "object",
    // In process the list is frozen, with the shared objects of the store.
    get object() {
      return Object.freeze({ ...head, items: Object.freeze(items.map(member)) });
    },
    encoded: () => {
      switch (encoding) {
        case "json":
          return pieces(jsonForm(head, "items", items, encode));
        case "yaml":
          return yamlPieces(head, "items", items, member);
        case "protobuf":
          return protobufPieces(head, items, member);
        default:
          return encoding satisfies never;
      }
    },
  };
}

function tableBody(items: readonly CachedObject[], metadata: ListMeta, view: ListView): ApiBody {
  const options = { now: view.now, includeObject: view.includeObject, metadata };
  const { rows: _, ...head } = tableOf(view.kind, [], options);
  const row = (item: CachedObject): object => tableOf(view.kind, [item.object()], { ...options, withoutColumns: true }).rows[0] as object;
  return {
    kind: "object",
    get object() {
      return { ...head, rows: items.map(row) };
    },
    encoded: () =>
      view.encoding === "yaml" ? yamlPieces(head, "rows", items, row) : pieces(jsonForm(head, "rows", items, (item) => json(row(item)))),
  };
}

/** Some kinds are shown in an order of their own. */
async function inRowOrder(items: readonly CachedObject[], { rowOrder }: KindSpec): Promise<readonly CachedObject[]> {
  if (rowOrder === undefined) return items;
  const parsed: { readonly item: CachedObject; readonly object: KubeObject }[] = [];
  for (const item of items) {
    parsed.push({ item, object: item.object() });
    if (longWork.isOver) await longWork.next();
  }
  return parsed.sort((a, b) => rowOrder(a.object, b.object)).map(({ item }) => item);
}

const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));

function jsonForm(head: object, name: string, members: readonly CachedObject[], encode: Form["encode"]): Form {
  return { start: `${JSON.stringify(head).slice(0, -1)},"${name}":[`, between: ",", end: "]}", members, encode };
}

async function* yamlPieces(
  head: object,
  name: string,
  members: readonly CachedObject[],
  member: (item: CachedObject) => object,
): AsyncGenerator<Uint8Array> {
  const { stringify } = await import("yaml");
  // A sequence may stand at the column of its key, so each member can be written by itself.
  const start = `${stringify(head)}${name}:${members.length === 0 ? " []" : ""}\n`;
  yield* pieces({ start, between: "", end: "", members, encode: (item) => Buffer.from(stringify([member(item)])) });
}

/** All items are written before the first piece goes out: their length stands at the beginning. */
async function* protobufPieces(
  { kind, apiVersion, metadata }: ListHead,
  items: readonly CachedObject[],
  member: (item: CachedObject) => object,
): AsyncGenerator<Uint8Array> {
  const { itemHead, listHead, writeItem } = await import("./protobuf-write.ts");
  const type = typeOfKind(apiVersion, kind.replace(/List$/, ""));
  const parts: Uint8Array[] = [];
  let size = 0;
  for (const item of items) {
    const bytes = writeItem(member(item), type);
    const before = itemHead(bytes.length);
    parts.push(before, bytes);
    size += before.length + bytes.length;
    if (longWork.isOver) await longWork.next();
  }
  yield* inChunks([listHead(apiVersion, kind, metadata, size), ...parts]);
}

function* inChunks(parts: readonly Uint8Array[]): Generator<Uint8Array> {
  let [from, size] = [0, 0];
  for (const [i, part] of parts.entries()) {
    size += part.length;
    if (size < chunkBytes && i < parts.length - 1) continue;
    yield Buffer.concat(parts.slice(from, i + 1));
    [from, size] = [i + 1, 0];
  }
}

const chunkBytes = 128 * 1024;

async function* pieces({ start, between, end, members, encode }: Form): AsyncGenerator<Uint8Array> {
  const separator = Buffer.from(between);
  let parts: Uint8Array[] = [Buffer.from(start)];
  let size = 0;
  for (const [index, member] of members.entries()) {
    if (index > 0) parts.push(separator);
    const bytes = encode(member);
    parts.push(bytes);
    size += bytes.length;
    if (size >= chunkBytes) {
      yield Buffer.concat(parts);
      [parts, size] = [[], 0];
    }
    if (longWork.isOver) await longWork.next();
  }
  parts.push(Buffer.from(end));
  yield Buffer.concat(parts);
}
