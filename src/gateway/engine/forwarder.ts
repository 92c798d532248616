/** A request that the table forwards, on its way: with what its route's filters ask for around the exchange. */
import type { BackendRef, Route } from "../../decide/routes/index.ts";
import type { Clock } from "../../lib/clock.ts";
import { refusal, type OwnAnswer } from "./answers.ts";
import type { Backends } from "./backends.ts";
import type { ClientCertificate } from "./carrier.ts";
import type { ClientSide, Exchange, ProxiedRequest } from "./client-side.ts";
import type { EngineLimits } from "./engine.ts";
import { errorQuestion, replacing, type ErrorPages } from "./error-pages.ts";
import { HttpExchange, type ExchangeOptions } from "./exchange.ts";
import { grpcBody, grpcChange, grpcRequest, grpcWebClient, grpcWebOf, isTranslatable, type GrpcWeb } from "./grpc-web.ts";
import { Http2Exchange } from "./http2-exchange.ts";
import { endpointHead } from "./lines.ts";
import { nobody, withBodyLimit, withMirrors } from "./mirror.ts";
import { traced, type OwnAnswering } from "./observed-request.ts";
import type { Records } from "./request-records.ts";
import { connectionsKey, together, type Forward } from "./router.ts";
import type { Sweeper } from "./sweeper.ts";
import type { UpstreamPool } from "./upstream.ts";

export interface ForwarderOptions {
  readonly backends: Backends;
  readonly pool: UpstreamPool;
  readonly sweeper: Sweeper;
  readonly clock: Clock;
  readonly limits: EngineLimits;
  readonly records: Records;
  /** What a listener shows to endpoints over TLS. */
  readonly toBackends: (listener: string) => ClientCertificate | undefined;
}

export class Forwarder {
  readonly #options: ForwarderOptions;
  /** Of routes with `limit-connections`. */
  readonly #underWay = new Map<string, number>();

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** Undefined: it was answered already. */
  forward(request: ProxiedRequest, client: OwnAnswering, decided: Forward): Exchange | undefined {
    const trace = this.#options.records.trace(request);
    const decision = trace === undefined ? decided : traced(decided, trace);
    const web = this.#options.backends.speaks(decision.backend) === "h2c" ? grpcWebOf(request) : undefined;
    return web === undefined ? this.#send(request, client, decision) : this.#sendGrpcWeb(request, client, decision, web);
  }

  /** To an endpoint that speaks gRPC, from a client that speaks gRPC-Web. */
  #sendGrpcWeb(request: ProxiedRequest, client: OwnAnswering, decision: Forward, web: GrpcWeb): Exchange | undefined {
    if (!isTranslatable(request, web)) {
      client.ownAnswer(refusal(415, "GrpcWeb", "a body of base64 in chunks cannot be translated"));
      this.#options.records.end(request, decision.route, { status: 415, reason: "GrpcWeb" });
      return undefined;
    }
    const changes = { ...decision.changes, request: together(decision.changes.request, grpcChange(web)) };
    const translated = { ...grpcWebClient(client, web), ownAnswer: (answer: OwnAnswer) => client.ownAnswer(answer) };
    const asked = grpcRequest(request, web);
    this.#options.records.continues(request, asked);
    return grpcBody(this.#send(asked, translated, { ...decision, changes }), web);
  }

  #send(request: ProxiedRequest, client: OwnAnswering, decision: Forward): Exchange {
    const { route, backend, mirrors } = decision;
    const pages = route.filters.find((filter) => filter.kind === "error-pages");
    const answer =
      pages === undefined ? undefined : replacing(client, pages, (status) => this.#page(request, client, decision, pages, status));
    const leaves = this.#enters(route, request);
    let reason: string | undefined;
    const exchange = this.exchange(request, decision, backend, answer?.client ?? client, {
      refuse: (status, why, message) => {
        reason = why;
        if (pages !== undefined && (pages.codes.includes(status) || (pages.whenUnreachable && why === "NoEndpoints")))
          answer?.replace(status);
        else client.ownAnswer(refusal(status, why, message));
      },
      finished: (status, endpoint) => {
        leaves();
        this.#options.records.end(request, route, { status, reason, endpoint: endpoint?.key, user: decision.user });
      },
    });
    return this.#withFilters(answer?.of(exchange) ?? exchange, request, client, { ...decision, mirrors });
  }

  #withFilters(exchange: Exchange, request: ProxiedRequest, client: ClientSide, decision: Forward): Exchange {
    const { route, mirrors } = decision;
    const limit = request.body.kind === "chunked" ? route.filters.find((filter) => filter.kind === "limit-body") : undefined;
    if (limit !== undefined) return withBodyLimit(exchange, limit.bytes, () => client.abort());
    if (mirrors.length === 0) return exchange;
    const silent = { refuse: nobodyAsks, finished: nobodyAsks };
    return withMirrors(
      exchange,
      mirrors.map((ref) => this.exchange(request, decision, ref, nobody, silent)),
    );
  }

  /** Requests under way for a key of `limit-connections`. */
  underWay(key: string): number {
    return this.#underWay.get(key) ?? 0;
  }

  /** Counts a request of a route with `limit-connections` until the function that it gives is called. */
  #enters(route: Route, { client }: ProxiedRequest): () => void {
    if (!route.filters.some(({ kind }) => kind === "limit-connections")) return nobodyAsks;
    const key = connectionsKey(route, client);
    this.#underWay.set(key, (this.#underWay.get(key) ?? 0) + 1);
    return () => {
      const left = (this.#underWay.get(key) ?? 1) - 1;
      if (left === 0) this.#underWay.delete(key);
      else this.#underWay.set(key, left);
    };
  }

  /** What another Service says in the place of an error. */
  #page(request: ProxiedRequest, client: OwnAnswering, decision: Forward, pages: ErrorPages, status: number): Exchange {
    const { question, change } = errorQuestion(request, pages, status);
    const changes = { request: together(decision.changes.request, change), response: decision.changes.response };
    const exchange = this.exchange(question, { ...decision, route: withoutPolicies(decision.route), changes }, pages.backend, client, {
      refuse: (code, why, message) => client.ownAnswer(refusal(code, why, message)),
      finished: nobodyAsks,
    });
    exchange.end([]);
    return exchange;
  }

  /** A request to one of the backend's endpoints, begun. */
  exchange(
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
}

/** For requests of our own on a route's behalf: its sessions and tries are not theirs. */
export function withoutPolicies({ id, source, match, timeouts }: Route): Route {
  return { id, source, match, filters: [], backends: [], timeouts };
}

export function nobodyAsks(): void {
  // What becomes of a request of our own.
}
