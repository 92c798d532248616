/**
 * A request to the API and its answer, free of any transport: the HTTP listener and the in-process transport both
 * hand the API server an `ApiRequest`, so authorization, admission and encoding are the same for both.
 */
import type { KubeObject } from "./object.ts";

/** Who asks, as authentication found out. */
export interface UserInfo {
  readonly name: string;
  readonly groups: readonly string[];
  /** Of a ServiceAccount: tells it from one of the same name before it. */
  readonly uid?: string;
  /** What else the credential tells, by upstream's keys: `authentication.kubernetes.io/pod-name`. */
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export interface ApiRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS";
  /** Decoded by the receiver: `/api/v1/namespaces/default/services/web`. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Path and query as they came over HTTP, for who hands them on. */
  readonly target?: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes over HTTP; in process an object, which the server takes as it is and never changes. */
  readonly body?: Uint8Array | object;
  readonly user: UserInfo;
  /** The client's address; absent in process. */
  readonly source?: string;
  /** The client went away. */
  readonly signal?: AbortSignal;
}

export interface ApiResponse {
  readonly status: number;
  /** Names in lower case. `warning` may hold several values. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: ApiBody;
}

export type ApiBody =
  | { readonly kind: "empty" }
  /** Encoded in full. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /**
   * A frozen object that the transport encodes as JSON if it must. `encoded` gives the same as JSON where the server has its
   * bytes at hand: a transport that sends bytes asks for those and leaves `object`, which may be made on demand, alone.
   */
  | { readonly kind: "object"; readonly object: object; readonly encoded?: () => Uint8Array | AsyncIterable<Uint8Array> }
  /** Encoded piece by piece: long lists, logs. */
  | { readonly kind: "chunks"; readonly chunks: AsyncIterable<Uint8Array> }
  | { readonly kind: "watch"; readonly stream: WatchStream };

export type WatchEventType = "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";

export interface WatchEvent<T = KubeObject> {
  readonly type: WatchEventType;
  readonly object: T;
}

/**
 * Events of one watch. A consumer asks for `object` (in process: the shared frozen object) or for `bytes` (the
 * event's JSON line without the newline, from the shared serialized bytes); both are lazy, so nobody pays for the other.
 */
export interface WatchStream {
  [Symbol.asyncIterator](): AsyncIterator<StreamedEvent>;
  /** An event's bytes are a frame of their own, not a line. */
  readonly framed?: true;
  /** Ends the stream; idempotent. */
  close(): void;
}

export interface StreamedEvent {
  readonly type: WatchEventType;
  object(): object;
  bytes(): Uint8Array;
}

/** Answers requests; what the API server is to its transports. Never throws: errors are answers. */
export interface ApiHandler {
  handle(request: ApiRequest): Promise<ApiResponse>;
}
