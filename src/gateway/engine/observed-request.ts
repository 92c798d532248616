/** What a log or a trace tells of a request, gathered while it is on its way. */
import { randomBytes } from "node:crypto";
import { requestHost } from "../../decide/routes/index.ts";
import type { Clock } from "../../lib/clock.ts";
import type { OwnAnswer } from "./answers.ts";
import type { ClientSide, ProxiedRequest } from "./client-side.ts";
import { counted } from "./counted-answer.ts";
import { together, type Forward } from "./router.ts";
import { spanFor, traceparent, type TraceSpan, type Tracing } from "./trace-context.ts";

/** A client's side that can be answered without an endpoint. */
export type OwnAnswering = ClientSide & { ownAnswer(answer: OwnAnswer): void };

/** What is told beyond counting; plain, as it may cross to another thread. */
export interface Observe {
  /** Absent: trace context passes through as it came. */
  readonly tracing?: Tracing;
}

/** Plain data. */
export interface RequestDetail {
  /** When its head was read: milliseconds since the epoch. */
  readonly at: number;
  readonly address: string;
  readonly listener: string;
  readonly scheme: "http" | "https";
  readonly httpVersion: string;
  readonly method: string;
  readonly host: string;
  /** Path and query. */
  readonly target: string;
  readonly referer?: string;
  readonly userAgent?: string;
  /** Of the answer's body, as they went out. */
  readonly bytes: number;
  readonly trace?: TraceSpan;
}

export interface Observed {
  readonly at: number;
  readonly trace: TraceSpan | undefined;
  /** So far. */
  readonly bytes: () => number;
}

/** `client` is asked in the place of `side`. */
export function observing(
  request: ProxiedRequest,
  side: OwnAnswering,
  { tracing }: Observe,
  { clock, random }: { readonly clock: Clock; readonly random: () => number },
): { readonly client: OwnAnswering; readonly observed: Observed } {
  const answer = counted(side);
  let own = 0;
  const client: OwnAnswering = {
    ...answer.client,
    ownAnswer: (given) => {
      own = given.body.length;
      side.ownAnswer(given);
    },
  };
  const id = (bytes: number) => randomBytes(bytes).toString("hex");
  const trace = tracing === undefined ? undefined : spanFor(request.header("traceparent"), tracing, { id, random });
  return { client, observed: { at: clock.now(), trace, bytes: () => answer.bytes() + own } };
}

export function detailOf(
  { method, path, query, authority, header, client }: ProxiedRequest,
  { at, trace, bytes }: Observed,
): RequestDetail {
  const { address, listener, scheme, httpVersion } = client;
  const [referer, userAgent] = [header("referer"), header("user-agent")];
  const asked = { at, address, listener, scheme, httpVersion, method, host: requestHost(authority), target: path + query, bytes: bytes() };
  return {
    ...asked,
    ...(referer === undefined ? {} : { referer }),
    ...(userAgent === undefined ? {} : { userAgent }),
    ...(trace === undefined ? {} : { trace }),
  };
}

/** The endpoint's span is a child of ours. */
export function traced(decision: Forward, trace: TraceSpan): Forward {
  const change = { set: [{ name: "traceparent", value: traceparent(trace) }], add: [], remove: [] };
  return { ...decision, changes: { ...decision.changes, request: together(decision.changes.request, change) } };
}
