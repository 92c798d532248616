/**
 * What is done with a request once its head is read, whichever socket it came by: the table's decision, an answer of our own or an
 * exchange with an endpoint, and the record of what became of it.
 */
import {
  fillTemplate,
  usersKey,
  type BackendRef,
  type BasicAuth,
  type ExternalAuth,
  type Listener,
  type Route,
  type RouteTable,
} from "../../decide/routes/index.ts";
import type { Clock } from "../../lib/clock.ts";
import { redirect, refusal, type OwnAnswer } from "./answers.ts";
import type { Backends } from "./backends.ts";
import type { ClientSide, Exchange, ProxiedRequest } from "./client-side.ts";
import { DeferredExchange } from "./deferred-exchange.ts";
import type { EngineLimits } from "./engine.ts";
import { errorQuestion, replacing, type ErrorPages } from "./error-pages.ts";
import { HttpExchange, type ExchangeOptions } from "./exchange.ts";
import { listener, questionHeaders, questionOf, unavailable, verdictOf, type Verdict } from "./external-auth.ts";
import { grpcBody, grpcChange, grpcRequest, grpcWebClient, grpcWebOf, isTranslatable, type GrpcWeb } from "./grpc-web.ts";
import { Http2Exchange } from "./http2-exchange.ts";
import { addedLines, endpointHead } from "./lines.ts";
import { nobody, withBodyLimit, withMirrors } from "./mirror.ts";
import { detailOf, observing, traced, type Observe, type Observed, type RequestDetail } from "./observed-request.ts";
import { PasswordCheck } from "./passwords.ts";
import { RateLimits } from "./rate-limits.ts";
import { connectionsKey, decide, together, unchanged, type Forward } from "./router.ts";
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
  /** Of HTTP Basic. */
  readonly user: string | undefined;
  readonly milliseconds: number;
  /** Absent unless `observe` asks for it. */
  readonly detail?: RequestDetail;
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
  readonly observe?: Observe | undefined;
}

/** A client's side that can be answered without an endpoint. */
export type OwnAnswering = ClientSide & { ownAnswer(answer: OwnAnswer): void };

export class Requests {
  /** Of the HTTPS listener; until there is one, where it would be. */
  securePort = 443;
  readonly #options: RequestsOptions;
  readonly #rates = new RateLimits();
  readonly #passwords = new PasswordCheck();
  readonly #observed = new WeakMap<ProxiedRequest, Observed>();
  /** Of routes with `limit-connections`: requests under way. */
  readonly #underWay = new Map<string, number>();
  #users: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map();
  #table: ReadonlyMap<string, Listener> = new Map();
  #count = 0;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  publish({ listeners }: RouteTable): void {
    this.#table = new Map(listeners.map((listener) => [listener.name, listener]));
  }

  setUsers(users: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
    this.#users = users;
  }

  listener(name: string): Listener | undefined {
    return this.#table.get(name);
  }

  /** Requests so far. */
  get count(): number {
    return this.#count;
  }

  /** Undefined: it was answered already, by `ownAnswer`. */
  handle(asked: ProxiedRequest, side: OwnAnswering): Exchange | undefined {
    this.#count += 1;
    const { observe, limits } = this.#options;
    const { trustedProxies } = limits;
    const request = trustedProxies.length === 0 ? asked : { ...asked, client: trustedClient(asked.client, asked.header, trustedProxies) };
    if (observe === undefined) return this.#handle(request, side);
    const { client, observed } = observing(request, side, observe, this.#options);
    this.#observed.set(request, observed);
    return this.#handle(request, client);
  }

  #handle(request: ProxiedRequest, client: OwnAnswering): Exchange | undefined {
    const decision = decide(this.#table.get(request.client.listener), request, this.#context);
    switch (decision.kind) {
      case "forward":
        return decision.auth === undefined ? this.#forward(request, client, decision) : this.#ask(request, client, decision, decision.auth);
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
      case "refuse": {
        const answer = refusal(decision.status, decision.reason, decision.message);
        client.ownAnswer(decision.lines === undefined ? answer : { ...answer, lines: answer.lines + decision.lines });
        this.#record(request, decision.route, decision.status, decision.reason);
        return undefined;
      }
    }
  }

  readonly #context = {
    chooseBackend: (refs: readonly BackendRef[], id?: string) => this.#options.backends.chooseBackend(refs, id),
    securePort: () => this.securePort,
    random: () => this.#options.random(),
    allows: (key: string, limit: { readonly perSecond: number; readonly burst: number }) =>
      this.#rates.allows(key, limit, this.#options.clock.monotonic()),
    underWay: (key: string) => this.#underWay.get(key) ?? 0,
    userOf: ({ users }: BasicAuth, authorization: string | undefined) => this.#userOf(usersKey(users), authorization),
  };

  #userOf(key: string, authorization: string | undefined): { readonly name: string } | "unknown" | undefined {
    const known = this.#users.get(key);
    if (known === undefined) return "unknown";
    const name = this.#passwords.userOf(authorization, known);
    return name === undefined ? undefined : { name };
  }

  /** The request waits until somebody else has said whether it may go on. */
  #ask(request: ProxiedRequest, client: OwnAnswering, decision: Forward, auth: ExternalAuth): Exchange {
    const deferred = new DeferredExchange(client, () => {
      question?.abort();
      this.#record(request, decision.route, clientGone);
    });
    const settle = (verdict: Verdict) => {
      if (deferred.over) return;
      if (verdict.kind === "allowed") {
        const changes = {
          request: together(decision.changes.request, verdict.request),
          response: together(decision.changes.response, verdict.response),
        };
        const exchange = this.#forward(request, client, { ...decision, changes });
        return exchange === undefined ? deferred.drop() : deferred.become(exchange);
      }
      deferred.drop();
      client.ownAnswer(verdict.answer);
      this.#record(request, decision.route, verdict.answer.status, verdict.reason);
    };
    const question = this.#question(request, decision, auth, settle);
    return deferred;
  }

  #question(request: ProxiedRequest, decision: Forward, auth: ExternalAuth, settle: (verdict: Verdict) => void): Exchange | undefined {
    const authority = auth.target.kind === "service" ? auth.target.authority : fillTemplate(auth.target.host, request);
    const question = questionOf(request, auth, authority);
    const to = this.#whoIsAsked(question, decision, auth);
    if (typeof to === "string") return void settle(unavailable(to));
    const changes = { request: together(to.changes.request, questionHeaders(request, auth)), response: undefined };
    const lost = () => settle(unavailable("the service that is asked does not answer"));
    const hears = listener((head) => settle(verdictOf(head, request, auth)), lost);
    const exchange = this.#exchange(question, { ...to, changes }, to.backend, hears, {
      refuse: (_status, _reason, message) => settle(unavailable(message)),
      finished: nobodyAsks,
    });
    exchange.end([]);
    return exchange;
  }

  /** Or why nobody can be. */
  #whoIsAsked(question: ProxiedRequest, decision: Forward, { target }: ExternalAuth): Forward | string {
    const { source, id, match } = decision.route;
    const route: Route = { id, source, match, filters: [], backends: [], timeouts: {} };
    const path = question.path + question.query;
    if (target.kind === "service")
      return {
        kind: "forward",
        route,
        backend: target.backend,
        target: path,
        authority: question.authority,
        changes: unchanged,
        mirrors: [],
      };
    const found = decide(this.#table.get(question.client.listener), question, this.#context);
    if (found.kind !== "forward") return `no rule forwards ${question.authority}${question.path}, which is asked`;
    return found.auth === undefined ? found : `${question.authority}${question.path}, which is asked, asks others itself`;
  }

  #forward(request: ProxiedRequest, client: OwnAnswering, decided: Forward): Exchange | undefined {
    const trace = this.#observed.get(request)?.trace;
    const decision = trace === undefined ? decided : traced(decided, trace);
    const web = this.#options.backends.speaks(decision.backend) === "h2c" ? grpcWebOf(request) : undefined;
    return web === undefined ? this.#send(request, client, decision) : this.#sendGrpcWeb(request, client, decision, web);
  }

  /** To an endpoint that speaks gRPC, from a client that speaks gRPC-Web. */
  #sendGrpcWeb(request: ProxiedRequest, client: OwnAnswering, decision: Forward, web: GrpcWeb): Exchange | undefined {
    if (!isTranslatable(request, web)) {
      client.ownAnswer(refusal(415, "GrpcWeb", "a body of base64 in chunks cannot be translated"));
      this.#record(request, decision.route, 415, "GrpcWeb");
      return undefined;
    }
    const changes = { ...decision.changes, request: together(decision.changes.request, grpcChange(web)) };
    const translated = { ...grpcWebClient(client, web), ownAnswer: (answer: OwnAnswer) => client.ownAnswer(answer) };
    const asked = grpcRequest(request, web);
    const observed = this.#observed.get(request);
    if (observed !== undefined) this.#observed.set(asked, observed);
    return grpcBody(this.#send(asked, translated, { ...decision, changes }), web);
  }

  #send(request: ProxiedRequest, client: OwnAnswering, decision: Forward): Exchange {
    const { route, backend, mirrors } = decision;
    const pages = route.filters.find((filter) => filter.kind === "error-pages");
    const answer =
      pages === undefined ? undefined : replacing(client, pages, (status) => this.#page(request, client, decision, pages, status));
    const leaves = this.#enters(route, request);
    let reason: string | undefined;
    const exchange = this.#exchange(request, decision, backend, answer?.client ?? client, {
      refuse: (status, why, message) => {
        reason = why;
        if (pages !== undefined && (pages.codes.includes(status) || (pages.whenUnreachable && why === "NoEndpoints")))
          answer?.replace(status);
        else client.ownAnswer(refusal(status, why, message));
      },
      finished: (status, endpoint) => {
        leaves();
        this.#record(request, route, status, reason, endpoint?.key, decision.user);
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
      mirrors.map((ref) => this.#exchange(request, decision, ref, nobody, silent)),
    );
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
    const exchange = this.#exchange(question, { ...decision, changes }, pages.backend, client, {
      refuse: (code, why, message) => client.ownAnswer(refusal(code, why, message)),
      finished: nobodyAsks,
    });
    exchange.end([]);
    return exchange;
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

  #record(request: ProxiedRequest, route: Route | undefined, status: number, reason?: string, endpoint?: string, user?: string): void {
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

const clientGone = 499;

function nobodyAsks(): void {
  // What becomes of a mirror's copy.
}
