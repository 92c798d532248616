/**
 * How a request of the client reaches an API server. There are two ways: in process (`in-process.ts`) and HTTPS
 * (`https-transport.ts`). A transport knows nothing of resources; `rest.ts` makes requests and reads answers.
 */
import type { ApiRequest, ApiResponse } from "../api/request.ts";

export interface TransportRequest {
  readonly method: ApiRequest["method"];
  /** Encoded: `/api/v1/namespaces/default/services/web`. */
  readonly path: string;
  readonly query?: URLSearchParams;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: object;
  readonly signal?: AbortSignal | undefined;
}

export interface Transport {
  /**
   * Any answer of the server, refusals too. Whoever gets one with a `chunks` or `watch` body must read it to the end or end
   * its iterator. Throws FL_CONNECT when the server cannot be reached, and the signal's reason when that came first.
   */
  send(request: TransportRequest): Promise<ApiResponse>;
  /** Ends connections and what still runs on them. Idempotent. */
  close(): Promise<void>;
}
