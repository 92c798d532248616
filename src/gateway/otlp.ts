/**
 * Spans for a collector of OpenTelemetry, by OTLP over HTTP in JSON (opentelemetry-proto 1.x, `POST /v1/traces`), named by the HTTP semantic
 * conventions. Sent in batches; what a collector does not take is dropped and counted, never kept.
 */
import type { Clock, Timer } from "../lib/clock.ts";
import type { RequestRecord } from "./engine/requests.ts";

/** What `POST`s a body; rejects or gives a status. */
export type PostJson = (url: string, body: string) => Promise<number>;

export interface SpanExporterOptions {
  readonly clock: Clock;
  /** Of the collector: `http://127.0.0.1:4318`. */
  readonly endpoint: string;
  readonly post: PostJson;
  readonly dropped: (spans: number, why: string) => void;
}

const batchSpans = 512;
const mostSpans = 4096;
const gatherMs = 2000;

export class SpanExporter {
  readonly #options: SpanExporterOptions;
  readonly #url: string;
  #spans: object[] = [];
  #timer: Timer | undefined;
  #sending: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(options: SpanExporterOptions) {
    this.#options = options;
    this.#url = `${options.endpoint.replace(/\/+$/, "")}/v1/traces`;
  }

  add(record: RequestRecord): void {
    const span = spanOf(record);
    if (span === undefined) return;
    if (this.#waiting + this.#spans.length >= mostSpans) return this.#options.dropped(1, "the collector is slower than requests come");
    this.#spans.push(span);
    if (this.#spans.length >= batchSpans) void this.flush();
    else this.#timer ??= this.#options.clock.after(gatherMs, () => void this.flush());
  }

  /** Resolves when all that was given is sent, or dropped. */
  flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const batch = this.#spans;
    this.#spans = [];
    if (batch.length === 0) return this.#sending;
    this.#waiting += batch.length;
    this.#sending = this.#sending.then(() => this.#send(batch));
    return this.#sending;
  }

  async #send(batch: readonly object[]): Promise<void> {
    const { post, dropped } = this.#options;
    try {
      const status = await post(this.#url, JSON.stringify(traceRequest(batch)));
      if (status < 200 || status > 299) dropped(batch.length, `the collector answers ${status}`);
    } catch (error) {
      dropped(batch.length, (error as Error).message);
    } finally {
      this.#waiting -= batch.length;
    }
  }
}

export function traceRequest(spans: readonly object[]): object {
  const resource = { attributes: attributes({ "service.name": "fairlead-gateway" }) };
  return { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "fairlead" }, spans }] }] };
}

const serverSpan = 2;
const errorStatus = 2;

/** Undefined: nobody keeps it. Times are nanoseconds since the epoch, as text: JSON has no 64-bit numbers. */
export function spanOf({ detail, route, status, endpoint, reason, milliseconds }: RequestRecord): object | undefined {
  const { trace } = detail ?? {};
  if (detail === undefined || trace?.sampled !== true) return undefined;
  const { at, method, target, host, address, scheme, httpVersion, userAgent } = detail;
  const [path = "", query] = target.split(/\?(.*)/s);
  const begins = BigInt(Math.round(at * 1000)) * 1000n;
  const said = {
    "http.request.method": method,
    "url.scheme": scheme,
    "url.path": path,
    "url.query": query,
    "server.address": host,
    "client.address": address,
    "network.protocol.version": httpVersion,
    "user_agent.original": userAgent,
    "http.response.status_code": status,
    "http.route": route?.id,
    "upstream.address": endpoint,
    "error.type": status >= 500 ? (reason ?? String(status)) : undefined,
  };
  return {
    traceId: trace.traceId,
    spanId: trace.spanId,
    ...(trace.parentId === undefined ? {} : { parentSpanId: trace.parentId }),
    name: method,
    kind: serverSpan,
    startTimeUnixNano: String(begins),
    endTimeUnixNano: String(begins + BigInt(Math.round(milliseconds * 1000)) * 1000n),
    attributes: attributes(said),
    ...(status >= 500 ? { status: { code: errorStatus } } : {}),
  };
}

function attributes(all: Readonly<Record<string, string | number | undefined>>): readonly object[] {
  return Object.entries(all).flatMap(([key, value]) => {
    if (value === undefined) return [];
    return [{ key, value: typeof value === "number" ? { intValue: String(value) } : { stringValue: value } }];
  });
}
