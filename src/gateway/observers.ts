/** Who is told of every request besides the metrics: an access log, a collector of traces. Both are off until somebody asks for them. */
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";
import { accessLogLine, type AccessLogFormat } from "./access-log.ts";
import type { Observe } from "./engine/observed-request.ts";
import type { RequestRecord } from "./engine/requests.ts";
import { LogFile } from "./log-file.ts";
import { SpanExporter, type PostJson } from "./otlp.ts";

export interface ObserveOptions {
  /** `path` `-`: standard output. */
  readonly accessLog?: { readonly format: AccessLogFormat; readonly path: string };
  /** `endpoint`: of a collector that takes OTLP over HTTP, `http://127.0.0.1:4318`. `ratio`: of requests that belong to no trace. */
  readonly traces?: { readonly endpoint: string; readonly ratio: number };
}

export interface Observers {
  /** What the engine must tell; undefined: nobody listens. */
  readonly observe: Observe | undefined;
  request(record: RequestRecord): void;
  /** Resolves when all that was seen is written and sent, or dropped. */
  stop(): Promise<void>;
}

export interface ObserversContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  readonly post?: PostJson;
}

const patienceMs = 5000;

export function createObservers(
  { accessLog, traces }: ObserveOptions,
  { clock, log, metrics, post = postJson }: ObserversContext,
): Observers {
  const lost = metrics.counter("fairlead_gateway_observations_dropped_total", "Lines and spans that could not be kept", ["kind"]);
  const dropped = (kind: string) => {
    let told = false;
    return (count: number, why: string) => {
      lost.labels(kind).inc(count);
      if (!told) log.warn(`${kind}: some are lost`, { why });
      told = true;
    };
  };
  const file = accessLog === undefined ? undefined : new LogFile({ clock, path: accessLog.path, dropped: dropped("access-log") });
  const spans = traces === undefined ? undefined : new SpanExporter({ clock, endpoint: traces.endpoint, post, dropped: dropped("traces") });
  const isAsked = file !== undefined || spans !== undefined;
  return {
    observe: isAsked ? (traces === undefined ? {} : { tracing: { ratio: traces.ratio } }) : undefined,
    request: (record) => {
      const line = accessLog === undefined ? undefined : accessLogLine(record, accessLog.format);
      if (line !== undefined) file?.write(line);
      spans?.add(record);
    },
    stop: async () => void (await Promise.all([file?.flush(), spans?.flush()])),
  };
}

async function postJson(url: string, body: string): Promise<number> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body, redirect: "error", signal: AbortSignal.timeout(patienceMs) });
  await answer.body?.cancel();
  return answer.status;
}
