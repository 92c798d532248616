/**
 * From a packet to its answer: what may be asked at all, which block's chain it goes to, and how much of the answer the client
 * can take. Knows nothing of sockets.
 */
import type { Chain } from "../corefile/chain.ts";
import { foldName } from "../../decide/dns/name.ts";
import type { SeenQuery } from "../../decide/dns/top/query-tally.ts";
import { classes, rcodes } from "../../decide/dns/records.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Counter } from "../../lib/metrics.ts";
import {
  after,
  failure,
  rcodeOf,
  type Awaitable,
  type ClientAddress,
  type CountAgain,
  type DnsRequest,
  type Outcome,
  type PluginEnvironment,
  type QueryWatch,
  type Reply,
} from "../plugin.ts";
import { requestMetrics, type RequestMetrics } from "../plugins/prometheus/request-metrics.ts";
import { decode, decodeHeader } from "../wire/decode.ts";
import { extendedErrors, optionCodes } from "../wire/extended-error.ts";
import { createQuery, createReply, opcodes, type Message } from "../wire/message.ts";
import { bareReply, refusalOf } from "./accept.ts";
import { AskedBefore } from "./asked-before.ts";
import { copyAnswer, type AnswerKeeper, type AnswerTable } from "./answer-table.ts";
import { Cookies, isCookie } from "./cookies.ts";
import { finish, messageOf } from "./finish.ts";
import { chainOf, type Routes } from "./route.ts";

/** Answers that need answers that need answers: an alias that leads through more servers than this leads nowhere. */
const maxDepth = 8;
/** Plugins that answer other classes than IN (CoreDNS `core/dnsserver/server.go`, `EnableChaos`). */
const otherClasses: readonly string[] = ["chaos", "forward"];

export interface Arrival {
  readonly client: ClientAddress;
  /** `dns://:53` */
  readonly label: string;
  readonly routes: Routes;
  /** Answers that were kept in this thread. */
  readonly table?: AnswerTable;
  /** Where those that may be sent again are kept; undefined: none is. */
  readonly keeper?: AnswerKeeper;
}

/** One message, or the several of a transfer; undefined: silence. */
export type Answer = Uint8Array | readonly Uint8Array[] | undefined;

export class Answerer {
  readonly #environment: PluginEnvironment;
  readonly #panics: Counter;
  readonly #requests: RequestMetrics;
  readonly #cookies: Cookies;
  readonly #asked = new AskedBefore();
  #turn = 0;

  constructor(environment: PluginEnvironment) {
    this.#environment = environment;
    this.#panics = environment.metrics.counter("coredns_panics_total", "A metrics that counts the number of panics.").labels();
    this.#requests = requestMetrics(environment.metrics);
    this.#cookies = new Cookies({ now: () => environment.clock.now() });
  }

  packet(packet: Uint8Array, arrival: Arrival): Awaitable<Answer> {
    // Only UDP's: by TCP the same question has room for more.
    const now = this.#environment.clock.monotonic();
    const kept = arrival.client.protocol === "tcp" ? undefined : arrival.table?.find(packet, packet.length, now);
    if (kept !== undefined) {
      kept.count?.(1);
      kept.saw?.(arrival.client.address, 1);
      const copy = Buffer.allocUnsafe(kept.length);
      copyAnswer(kept, packet, copy, this.#turn++, now);
      return copy;
    }
    const header = decodeHeader(packet);
    // No header, or an answer where a question belongs: two servers could talk for ever.
    if (header === undefined || header.response) return undefined;
    const refusal = refusalOf(header);
    if (refusal !== undefined) return bareReply(header, refusal);
    const decoded = decode(packet);
    if (decoded.kind === "error") return bareReply(header, decoded.rcode);
    const { message } = decoded;
    let request: DnsRequest | undefined;
    const outcome = this.message(message, arrival, packet.length, 0, (made) => (request = made));
    return after(outcome, (done) => {
      const bytes = this.#finish(message, arrival, done);
      const { watch } = this.#environment;
      if (watch.on && request !== undefined) watch.saw({ client: request.client.address, ...seen(request, done) });
      if (request !== undefined && bytes instanceof Uint8Array && done.kind === "reply") this.#keep(packet, bytes, request, done, arrival);
      return bytes;
    });
  }

  /** `made` is told the request that the chain is given. */
  message(message: Message, arrival: Arrival, size: number, depth = 0, made?: (request: DnsRequest) => void): Awaitable<Outcome> {
    const question = message.questions[0];
    if (question === undefined) return failure(rcodes.FORMERR);
    if ((message.edns?.version ?? 0) !== 0) return failure(rcodes.BADVERS);
    if (message.edns?.options.some(({ code, data }) => code === optionCodes.COOKIE && !isCookie(data)) === true) {
      return failure(rcodes.FORMERR);
    }
    const name = foldName(question.name);
    let request: DnsRequest = {
      message,
      question,
      name,
      client: arrival.client,
      server: arrival.label,
      size,
      view: "",
      resolve: (target, type) => this.#resolve(target, type, arrival, depth),
    };
    const asked = request;
    const chain = chainOf(arrival.routes, name, question.type, ({ accepts }) => accepts === undefined || accepts(asked));
    if (chain === undefined || !servesClass(chain, question.class)) {
      const refused = failure(rcodes.REFUSED, undefined, { code: extendedErrors.NOT_AUTHORITATIVE });
      this.#requests.count(request, "dropped", refused, 0);
      return refused;
    }
    if (chain.view !== "") request = { ...request, view: chain.view };
    made?.(request);
    try {
      const outcome = chain.serve(request);
      return outcome instanceof Promise ? outcome.catch((error: unknown) => this.#broken(error, name)) : outcome;
    } catch (error) {
      return this.#broken(error, name);
    }
  }

  /** A fault of ours in one plugin must not cost others their answers. */
  #broken(error: unknown, name: string): Outcome {
    this.#panics.inc();
    this.#environment.log.error("a query failed", {
      name,
      error: errorMessage(error),
      stack: error instanceof Error ? error.stack : undefined,
    });
    return failure(rcodes.SERVFAIL);
  }

  #resolve(name: string, type: number, arrival: Arrival, depth: number): Awaitable<Message | undefined> {
    if (depth >= maxDepth) return undefined;
    const query = createQuery(name, type);
    return after(this.message(query, arrival, 0, depth + 1), (outcome) => messageOf(query, outcome));
  }

  #finish(query: Message, { client }: Arrival, outcome: Outcome): Answer {
    const options = { client, cookies: this.#cookies, maxBytes: outcome.kind === "reply" ? outcome.maxBytes : undefined };
    try {
      if (outcome.kind === "transfer" && client.protocol === "tcp")
        return outcome.messages.map((message) => finish(query, message, options));
      const message = messageOf(query, outcome);
      return message === undefined ? undefined : finish(query, outcome.kind === "transfer" ? cutShort(query) : message, options);
    } catch (error) {
      this.#broken(error, query.questions[0]?.name ?? "");
      return finish(query, createReply(query, { rcode: rcodes.SERVFAIL }), options);
    }
  }

  /** Only what every handler on its way would do again in the same way. */
  #keep(packet: Uint8Array, bytes: Uint8Array, request: DnsRequest, reply: Reply, { keeper, routes, client }: Arrival): void {
    if (keeper === undefined || reply.holds === undefined || client.protocol !== "udp") return;
    const { message, name, question } = request;
    if (message.opcode !== opcodes.QUERY || (message.edns?.options.length ?? 0) > 0) return;
    const chain = chainOf(routes, name, question.type, () => true);
    if (chain === undefined || chain.accepts !== undefined || !chain.repeatable.has(reply.by ?? reply.plugin)) return;
    if (!this.#asked.again(packet)) return;
    const counts = chain.handlers.flatMap((handler) => handler.repeats?.(request, reply) ?? []);
    const count = counts.length === 0 ? {} : { count: allOf(counts) };
    const rotate = chain.plugins.includes("loadbalance");
    const { watch } = this.#environment;
    const saw = watch.on ? { saw: sightings(watch, seen(request, reply)) } : {};
    keeper.put(packet, bytes, { holds: reply.holds, rotate, ...count, ...saw }, this.#environment.clock.monotonic());
  }
}

type Sight = Omit<SeenQuery, "client">;

const seen = ({ name }: DnsRequest, outcome: Outcome): Sight => ({
  name,
  rcode: rcodeOf(outcome),
  answered: outcome.kind === "reply" && outcome.message.answers.length > 0,
});

const sightings = (watch: QueryWatch, sight: Sight) => (client: string, times: number) => watch.saw({ client, ...sight }, times);

/** Here, not where the request is in reach: a function holds on to all that is. */
const allOf = (counts: readonly CountAgain[]): CountAgain =>
  counts.length === 1 ? (counts[0] as CountAgain) : (times) => counts.forEach((one) => one(times));

const servesClass = ({ plugins }: Chain, recordClass: number): boolean =>
  recordClass === classes.IN || plugins.some((plugin) => otherClasses.includes(plugin));

/** A zone does not go through UDP: the client is to come by TCP. */
const cutShort = (query: Message): Message => createReply(query, { truncated: true });
