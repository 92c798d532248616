/** Objects, lists and watches as answers, in the form that the client wants. */
import type { KindSpec } from "../../api/kind.ts";
import type { KubeObject } from "../../api/object.ts";
import type { ApiBody, ApiResponse, StreamedEvent, WatchStream } from "../../api/request.ts";
import { apiVersionOf } from "../../api/resources.ts";
import { badRequestError, StatusError } from "../../api/status.ts";
import { partialObjectMetadata, tableOf, type TableOptions } from "../../api/table.ts";
import type { ListMeta, Status } from "../../api/types.ts";
import type { Written } from "../registry/registry.ts";
import type { StoreList } from "../store.ts";
import type { Representation } from "./accept.ts";

export interface View extends Representation {
  readonly kind: KindSpec;
  /** Milliseconds since the epoch, for ages in tables. */
  readonly now: number;
  readonly includeObject: NonNullable<TableOptions["includeObject"]>;
}

/** The `includeObject` parameter of tables. Throws 400. */
export function includeObject(query: URLSearchParams): View["includeObject"] {
  const wanted = query.get("includeObject") ?? "";
  if (wanted === "" || wanted === "Metadata") return "Metadata";
  if (wanted === "Object" || wanted === "None") return wanted;
  throw badRequestError(`unrecognized includeObject value: ${JSON.stringify(wanted)}`);
}

/** Any plain object. */
export async function respond(status: number, object: object, encoding: Representation["encoding"] = "json"): Promise<ApiResponse> {
  if (encoding === "json") return answer(status, { kind: "object", object });
  const { stringify } = await import("yaml");
  return answer(status, { kind: "bytes", bytes: Buffer.from(stringify(object)) }, "application/yaml");
}

export function answer(status: number, body: ApiBody, contentType = "application/json"): ApiResponse {
  return { status, headers: { "content-type": contentType }, body };
}

/** One object of the view's kind. */
export async function respondObject(status: number, written: Written, view: View): Promise<ApiResponse> {
  if (view.form !== "object") return respond(status, formed(written.object(), view), view.encoding);
  if (view.encoding === "yaml") return respond(status, written.object(), "yaml");
  const body: ApiBody = {
    kind: "object",
    get object() {
      return written.object();
    },
    encoded: () => written.bytes(),
  };
  return answer(status, body);
}

/** An object as a table of one row, or its metadata alone. */
function formed(object: KubeObject, view: View, withoutColumns = false): object {
  if (view.form === "partial") return partialObjectMetadata(object);
  const { resourceVersion } = object.metadata;
  return tableOf(view.kind, [object], { ...view, withoutColumns, metadata: resourceVersion === undefined ? {} : { resourceVersion } });
}

export async function respondList(list: StoreList, view: View): Promise<ApiResponse> {
  const metadata: ListMeta = {
    resourceVersion: String(list.revision),
    ...(list.continue === undefined ? {} : { continue: list.continue }),
    ...(list.remaining === undefined ? {} : { remainingItemCount: list.remaining }),
  };
  if (view.form === "table")
    return respond(
      200,
      tableOf(
        view.kind,
        list.items.map((item) => item.object()),
        { ...view, metadata },
      ),
      view.encoding,
    );
  if (view.form === "partial") {
    const items = list.items.map((item) => partialObjectMetadata(item.object()));
    return respond(200, { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1", metadata, items }, view.encoding);
  }
  const head = { kind: `${view.kind.resource.kind}List`, apiVersion: apiVersionOf(view.kind.resource), metadata };
  if (view.encoding === "yaml") return respond(200, wholeList(head, list), "yaml");
  const body: ApiBody = {
    kind: "object",
    get object() {
      return wholeList(head, list);
    },
    encoded: () => listChunks(head, list),
  };
  return answer(200, body);
}

/** Frozen, with the shared objects of the store. */
function wholeList(head: object, list: StoreList): object {
  return Object.freeze({ ...head, items: Object.freeze(list.items.map((item) => item.object())) });
}

const chunkBytes = 128 * 1024;

/** The list's JSON from the stored bytes, in pieces, so that a long one neither blocks nor fills the memory. */
async function* listChunks(head: object, list: StoreList): AsyncGenerator<Uint8Array> {
  let pieces: Uint8Array[] = [Buffer.from(`${JSON.stringify(head).slice(0, -1)},"items":[`)];
  let size = 0;
  for (const [index, item] of list.items.entries()) {
    if (index > 0) pieces.push(comma);
    const bytes = item.bytes();
    pieces.push(bytes);
    size += bytes.length;
    if (size < chunkBytes) continue;
    yield Buffer.concat(pieces);
    pieces = [];
    size = 0;
  }
  pieces.push(listEnd);
  yield Buffer.concat(pieces);
}

const comma = Buffer.from(",");
const listEnd = Buffer.from("]}");

/** A watch. Events of tables and partial objects are made anew for each watcher; whole objects are shared. */
export function respondWatch(stream: WatchStream, view: View): ApiResponse {
  if (view.encoding === "yaml") throw new StatusError(watchNotYaml);
  return answer(200, { kind: "watch", stream: view.form === "object" ? stream : transformed(stream, view) });
}

const watchNotYaml: Status = {
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  message: "only the following media types are accepted: application/json",
  reason: "NotAcceptable",
  code: 406,
};

function transformed(stream: WatchStream, view: View): WatchStream {
  return {
    close: () => stream.close(),
    async *[Symbol.asyncIterator]() {
      let first = true;
      for await (const event of stream) {
        if (event.type === "ERROR") yield event;
        else if (event.type === "BOOKMARK") yield bookmark(event, view);
        else {
          yield streamed(event.type, formed(event.object() as KubeObject, view, !first));
          first = false;
        }
      }
    },
  };
}

/** Upstream's bookmarks of tables are tables without rows that carry the bare object. */
function bookmark(event: StreamedEvent, view: View): StreamedEvent {
  const object = event.object() as KubeObject;
  if (view.form === "partial") return streamed("BOOKMARK", partialObjectMetadata(object));
  const table = tableOf(view.kind, [], { ...view, withoutColumns: true });
  return streamed("BOOKMARK", { ...table, metadata: { resourceVersion: object.metadata.resourceVersion }, rows: [{ cells: [], object }] });
}

export function streamed(type: StreamedEvent["type"], object: object): StreamedEvent {
  return { type, object: () => object, bytes: () => Buffer.from(JSON.stringify({ type, object })) };
}

/** A watch that tells of one error and ends: errors of a watch come within it. */
export function failedWatch(error: StatusError): WatchStream {
  return {
    close: () => undefined,
    async *[Symbol.asyncIterator]() {
      yield streamed("ERROR", error.status);
    },
  };
}
