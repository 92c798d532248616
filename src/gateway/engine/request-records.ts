/** What is told of requests that are over: to the metrics, and with details to logs and traces. */
import type { Route } from "../../decide/routes/index.ts";
import type { Clock } from "../../lib/clock.ts";
import type { ProxiedRequest } from "./client-side.ts";
import { detailOf, observing, type Observe, type Observed, type OwnAnswering, type RequestDetail } from "./observed-request.ts";
import type { TraceSpan } from "./trace-context.ts";

/** What became of a request: the access log's line, the metrics' labels. */
export interface RequestRecord {
  /** Undefined: its head could not be read. */
  readonly request: ProxiedRequest | undefined;
  readonly route: Route | undefined;
  readonly status: number;
  /** Of a refusal. */
  readonly reason: string | undefined;
  readonly endpoint: string | undefined;
  /** Of HTTP Basic. */
  readonly user: string | undefined;
  readonly milliseconds: number;
  /** Absent unless `observe` asks for it. */
  readonly detail?: RequestDetail;
}

export interface RecordsOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly onRequest: ((record: RequestRecord) => void) | undefined;
  readonly observe?: Observe | undefined;
}

export interface Ending {
  readonly status: number;
  /** Of a refusal. */
  readonly reason?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly user?: string | undefined;
}

export class Records {
  readonly #options: RecordsOptions;
  readonly #observed = new WeakMap<ProxiedRequest, Observed>();

  constructor(options: RecordsOptions) {
    this.#options = options;
  }

  /** Whom to answer in the place of `side`, so that it is known what was said. */
  begin(request: ProxiedRequest, side: OwnAnswering): OwnAnswering {
    const { observe } = this.#options;
    if (observe === undefined) return side;
    const { client, observed } = observing(request, side, observe, this.#options);
    this.#observed.set(request, observed);
    return client;
  }

  /** The same request in another form. */
  continues(request: ProxiedRequest, as: ProxiedRequest): void {
    const observed = this.#observed.get(request);
    if (observed !== undefined) this.#observed.set(as, observed);
  }

  trace(request: ProxiedRequest): TraceSpan | undefined {
    return this.#observed.get(request)?.trace;
  }

  end(request: ProxiedRequest, route: Route | undefined, { status, reason, endpoint, user }: Ending): void {
    const { onRequest, clock } = this.#options;
    if (onRequest === undefined) return;
    const observed = this.#observed.get(request);
    const detail = observed === undefined ? {} : { detail: detailOf(request, observed) };
    onRequest({ request, route, status, reason, endpoint, user, milliseconds: clock.monotonic() - request.began, ...detail });
  }

  /** A head that was refused before anybody could say what it asks for. */
  refused(status: number, why: string): void {
    const nothing = { request: undefined, route: undefined, endpoint: undefined, user: undefined };
    this.#options.onRequest?.({ ...nothing, status, reason: why, milliseconds: 0 });
  }
}
