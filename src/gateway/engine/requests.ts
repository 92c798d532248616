/**
 * What is done with a request once its head is read, whichever socket it came by: the table's decision, an answer of our own or an
 * exchange with an endpoint, and the record of what became of it.
 */
import type { BackendRef, Listener, Route, RouteTable } from "../../decide/routes/index.ts";
import type { Clock } from "../../lib/clock.ts";
import { redirect, refusal, type OwnAnswer } from "./answers.ts";
import type { Backends } from "./backends.ts";
import type { ClientSide, Exchange, ProxiedRequest } from "./client-side.ts";
import type { EngineLimits } from "./engine.ts";
import { HttpExchange, type ExchangeOptions } from "./exchange.ts";
import { Http2Exchange } from "./http2-exchange.ts";
import { addedLines, endpointHead } from "./lines.ts";
import { nobody, withBodyLimit, withMirrors } from "./mirror.ts";
import { RateLimits } from "./rate-limits.ts";
import { decide, type Forward } from "./router.ts";
import type { Sweeper } from "./sweeper.ts";
import { trustedClient } from "./trusted-hops.ts";
import type { ClientCertificate } from "./carrier.ts";
import type { UpstreamPool } from "./upstream.ts";

/** What became of a request: the access log's line, the metrics' labels. */
export interface RequestRecord {
  /** Undefined: its head could not be read. */
  readonly request: ProxiedRequest | undefined;
  readonly route: Route | undefined;
  readonly status: number;
  /** Of a refusal. */
  readonly reason: string | undefined;
  readonly endpoint: string | undefined;
  readonly milliseconds: number;
}

export interface RequestsOptions {
  readonly backends: Backends;
  readonly pool: UpstreamPool;
  readonly sweeper: Sweeper;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limits: EngineLimits;
  /** What a listener shows to endpoints over TLS. */
  readonly toBackends: (listener: string) => ClientCertificate | undefined;
  readonly onRequest: ((record: RequestRecord) => void) | undefined;
}

/** A client's side that can be answered without an endpoint. */
export type OwnAnswering = ClientSide & { ownAnswer(answer: OwnAnswer): void };

export class Requests {
  /** Of the HTTPS listener; until there is one, where it would be. */
  securePort = 443;
  readonly #options: RequestsOptions;
  readonly #rates = new RateLimits();
  #table: ReadonlyMap<string, Listener> = new Map();
  #count = 0;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  publish({ listeners }: RouteTable): void {
    this.#table = new Map(listeners.map((listener) => [listener.name, listener]));
  }

  listener(name: string): Listener | undefined {
    return this.#table.get(name);
  }

  /** Requests so far. */
  get count(): number {
    return this.#count;
  }

  /** Undefined: it was answered already, by `ownAnswer`. */
  handle(asked: ProxiedRequest, client: OwnAnswering): Exchange | undefined {
    this.#count += 1;
    const { trustedProxies } = this.#options.limits;
    const request = trustedProxies.length === 0 ? asked : { ...asked, client: trustedClient(asked.client, asked.header, trustedProxies) };
    const decision = decide(this.#table.get(request.client.listener), request, this.#context);
    switch (decision.kind) {
      case "forward":
        return this.#forward(request, client, decision);
      case "redirect": {
        const { response } = decision.changes;
        client.ownAnswer(redirect(decision.status, decision.location, response === undefined ? "" : addedLines(response)));
        this.#record(request, decision.route, decision.status);
        return undefined;
      }
      case "answer": {
        const { response } = decision.changes;
        client.ownAnswer({ status: decision.status, body: "", lines: response === undefined ? "" : addedLines(response) });
        this.#record(request, decision.route, decision.status);
        return undefined;
      }
      case "refuse":
        client.ownAnswer(refusal(decision.status, decision.reason, decision.message));
        this.#record(request, decision.route, decision.status, decision.reason);
        return undefined;
    }
  }

  readonly #context = {
    chooseBackend: (refs: readonly BackendRef[], id?: string) => this.#options.backends.chooseBackend(refs, id),
    securePort: () => this.securePort,
    random: () => this.#options.random(),
    allows: (key: string, limit: { readonly perSecond: number; readonly burst: number }) =>
      this.#rates.allows(key, limit, this.#options.clock.monotonic()),
  };

  #forward(request: ProxiedRequest, client: OwnAnswering, decision: Forward): Exchange {
    const { route, backend, mirrors } = decision;
    let reason: string | undefined;
    const exchange = this.#exchange(request, decision, backend, client, {
      refuse: (status, why, message) => {
        reason = why;
        client.ownAnswer(refusal(status, why, message));
      },
      finished: (status, endpoint) => this.#record(request, route, status, reason, endpoint?.key),
    });
    const limit = request.body.kind === "chunked" ? route.filters.find((filter) => filter.kind === "limit-body") : undefined;
    if (limit !== undefined) return withBodyLimit(exchange, limit.bytes, () => client.abort());
    if (mirrors.length === 0) return exchange;
    const silent = { refuse: nobodyAsks, finished: nobodyAsks };
    return withMirrors(
      exchange,
      mirrors.map((ref) => this.#exchange(request, decision, ref, nobody, silent)),
    );
  }

  #exchange(
    request: ProxiedRequest,
    decision: Forward,
    backend: BackendRef,
    client: ClientSide,
    more: Pick<ExchangeOptions, "refuse" | "finished">,
  ): Exchange {
    const { backends, pool, sweeper, clock, limits, toBackends } = this.#options;
    const options: ExchangeOptions = {
      request,
      client,
      route: decision.route,
      backend,
      changes: decision.changes,
      head: endpointHead(request, decision),
      backends,
      pool,
      sweeper,
      clock,
      limits,
      certificate: toBackends(request.client.listener),
      ...more,
    };
    const exchange = backends.speaks(backend) === "h2c" ? new Http2Exchange(options) : new HttpExchange(options);
    exchange.start();
    return exchange;
  }

  #record(request: ProxiedRequest, route: Route | undefined, status: number, reason?: string, endpoint?: string): void {
    const { onRequest, clock } = this.#options;
    onRequest?.({ request, route, status, reason, endpoint, milliseconds: clock.monotonic() - request.began });
  }

  /** A head that was refused before anybody could say what it asks for. */
  refused(status: number, why: string): void {
    this.#options.onRequest?.({ request: undefined, route: undefined, status, reason: why, endpoint: undefined, milliseconds: 0 });
  }
}

function nobodyAsks(): void {
  // What becomes of a mirror's copy.
}
