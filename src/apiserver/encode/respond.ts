/** Objects, lists and watches as answers, in the form that the client wants. */
import type { KubeObject } from "../../api/object.ts";
import type { ApiBody, ApiResponse, StreamedEvent, WatchStream } from "../../api/request.ts";
import { badRequestError, StatusError } from "../../api/status.ts";
import { partialObjectMetadata, tableOf } from "../../api/table.ts";
import type { Status } from "../../api/types.ts";
import type { Written } from "../registry/registry.ts";
import type { StoreList } from "../store.ts";
import type { Representation } from "./accept.ts";
import { listBody, type ListView } from "./list-body.ts";
import { protobufType } from "./protobuf-plan.ts";

export type View = ListView;

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
  if (encoding === "protobuf") return protobufAnswer(status, object);
  const { stringify } = await import("yaml");
  return answer(status, { kind: "bytes", bytes: Buffer.from(stringify(object)) }, "application/yaml");
}

/** The writer is read in when somebody asks for the first time. */
async function protobufAnswer(status: number, object: object): Promise<ApiResponse> {
  const { writeProtobuf } = await import("./protobuf-write.ts");
  return answer(status, { kind: "bytes", bytes: writeProtobuf(object) }, protobufType);
}

export function answer(status: number, body: ApiBody, contentType = "application/json"): ApiResponse {
  return { status, headers: { "content-type": contentType }, body };
}

/** One object of the view's kind. */
export async function respondObject(status: number, written: Written, view: View): Promise<ApiResponse> {
  if (view.form !== "object") return respond(status, formed(written.object(), view), view.encoding);
  if (view.encoding !== "json") return respond(status, written.object(), view.encoding);
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

const mediaTypes = { json: "application/json", yaml: "application/yaml", protobuf: protobufType } as const;

export async function respondList(list: StoreList, view: View): Promise<ApiResponse> {
  return answer(200, await listBody(list, view), mediaTypes[view.encoding]);
}

/** A watch. Events of tables and partial objects are made anew for each watcher; whole objects are shared. */
export function respondWatch(stream: WatchStream, view: View): ApiResponse {
  if (view.encoding === "yaml") throw new StatusError(watchNotYaml);
  const formedStream = view.form === "object" ? stream : transformed(stream, view);
  if (view.encoding !== "protobuf") return answer(200, { kind: "watch", stream: formedStream });
  return answer(200, { kind: "watch", stream: protobufStream(formedStream) }, `${protobufType};stream=watch`);
}

/** Written objects, by the object that all watchers share: each version is written once. */
const writtenObjects = new WeakMap<object, Uint8Array>();

function protobufStream(stream: WatchStream): WatchStream {
  return {
    framed: true,
    close: () => stream.close(),
    async *[Symbol.asyncIterator]() {
      const { writeEvent, writeProtobuf } = await import("./protobuf-write.ts");
      for await (const event of stream) {
        const object = event.object();
        let bytes = writtenObjects.get(object);
        if (bytes === undefined) writtenObjects.set(object, (bytes = writeProtobuf(object)));
        const frame = writeEvent(event.type, bytes);
        yield { type: event.type, object: () => object, bytes: () => frame };
      }
    },
  };
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
