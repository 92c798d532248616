/** Requests that wait until somebody else has said whether they may go on. */
import { fillTemplate, type ExternalAuth } from "../../decide/routes/index.ts";
import type { Exchange, ProxiedRequest } from "./client-side.ts";
import { DeferredExchange } from "./deferred-exchange.ts";
import { listener, questionHeaders, questionOf, unavailable, verdictOf, type Verdict } from "./external-auth.ts";
import { nobodyAsks, withoutPolicies, type Forwarder } from "./forwarder.ts";
import type { OwnAnswering } from "./observed-request.ts";
import type { Records } from "./request-records.ts";
import { together, unchanged, type Decision, type Forward } from "./router.ts";

export interface AuthorizerOptions {
  readonly forwarder: Forwarder;
  readonly records: Records;
  /** What the table says of a request. */
  readonly decide: (request: ProxiedRequest) => Decision;
}

export class Authorizer {
  readonly #options: AuthorizerOptions;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** The request waits until somebody else has said whether it may go on. */
  ask(request: ProxiedRequest, client: OwnAnswering, decision: Forward, auth: ExternalAuth): Exchange {
    const { records, forwarder } = this.#options;
    const deferred = new DeferredExchange(client, () => {
      question?.abort();
      records.end(request, decision.route, { status: clientGone });
    });
    const settle = (verdict: Verdict) => {
      if (deferred.over) return;
      if (verdict.kind === "allowed") {
        const changes = {
          request: together(decision.changes.request, verdict.request),
          response: together(decision.changes.response, verdict.response),
        };
        const exchange = forwarder.forward(request, client, { ...decision, changes });
        return exchange === undefined ? deferred.drop() : deferred.become(exchange);
      }
      deferred.drop();
      client.ownAnswer(verdict.answer);
      records.end(request, decision.route, { status: verdict.answer.status, reason: verdict.reason });
    };
    const question = this.#question(request, decision, auth, settle);
    return deferred;
  }

  #question(request: ProxiedRequest, decision: Forward, auth: ExternalAuth, settle: (verdict: Verdict) => void): Exchange | undefined {
    const { target } = auth;
    const authority = target.kind === "service" ? (target.authority ?? request.authority) : fillTemplate(target.host, request);
    const question = questionOf(request, auth, authority);
    const to = this.#whoIsAsked(question, decision, auth);
    if (typeof to === "string") return void settle(unavailable(to));
    const changes = { request: together(to.changes.request, questionHeaders(request, auth)), response: undefined };
    const lost = () => settle(unavailable("the service that is asked does not answer"));
    const hears = listener((head) => settle(verdictOf(head, request, auth)), lost);
    const exchange = this.#options.forwarder.exchange(question, { ...to, changes }, to.backend, hears, {
      refuse: (_status, _reason, message) => settle(unavailable(message)),
      finished: nobodyAsks,
    });
    exchange.end([]);
    return exchange;
  }

  /** Or why nobody can be. */
  #whoIsAsked(question: ProxiedRequest, decision: Forward, { target }: ExternalAuth): Forward | string {
    const route = withoutPolicies(decision.route);
    const path = question.path + question.query;
    if (target.kind === "service" && target.backend.refused !== undefined) return target.backend.refused;
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
    const found = this.#options.decide(question);
    if (found.kind !== "forward") return `no rule forwards ${question.authority}${question.path}, which is asked`;
    return found.auth === undefined ? found : `${question.authority}${question.path}, which is asked, asks others itself`;
  }
}

const clientGone = 499;
