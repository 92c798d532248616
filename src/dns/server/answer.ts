/**
 * From a packet to its answer: what may be asked at all, which block's chain it goes to, and how much of the answer the client
 * can take. Knows nothing of sockets.
 */
import type { Chain } from "../corefile/chain.ts";
import { foldName } from "../../decide/dns/name.ts";
import { classes, rcodes, recordTypes } from "../../decide/dns/records.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Counter } from "../../lib/metrics.ts";
import { after, type Awaitable, type ClientAddress, type DnsRequest, type Outcome, type PluginEnvironment } from "../plugin.ts";
import { requestMetrics, type RequestMetrics } from "../plugins/prometheus/request-metrics.ts";
import { decode, decodeHeader, type Header } from "../wire/decode.ts";
import { encode, maxTcpBytes, minUdpBytes } from "../wire/encode.ts";
import { createQuery, createReply, opcodes, type Message } from "../wire/message.ts";

/** The largest answer over UDP, whatever the client says it can take: what passes every network whole (DNS flag day 2020). */
export const maxUdpBytes = 1232;
/** Answers that need answers that need answers: an alias that leads through more servers than this leads nowhere. */
const maxDepth = 8;

export interface Arrival {
  readonly client: ClientAddress;
  /** `dns://:53` */
  readonly label: string;
  readonly zones: ReadonlyMap<string, Chain>;
}

export class Answerer {
  readonly #environment: PluginEnvironment;
  readonly #panics: Counter;
  readonly #requests: RequestMetrics;

  constructor(environment: PluginEnvironment) {
    this.#environment = environment;
    this.#panics = environment.metrics.counter("coredns_panics_total", "A metrics that counts the number of panics.").labels();
    this.#requests = requestMetrics(environment.metrics);
  }

  /** Undefined: silence. */
  packet(packet: Uint8Array, arrival: Arrival): Awaitable<Uint8Array | undefined> {
    const header = decodeHeader(packet);
    // No header, or an answer where a question belongs: two servers could talk for ever.
    if (header === undefined || header.response) return undefined;
    const refusal = refusalOf(header);
    if (refusal !== undefined) return bareReply(header, refusal);
    const decoded = decode(packet);
    if (decoded.kind === "error") return bareReply(header, decoded.rcode);
    const { message } = decoded;
    return after(this.message(message, arrival, packet.length), (outcome) => this.#finish(message, arrival, outcome));
  }

  message(message: Message, arrival: Arrival, size: number, depth = 0): Awaitable<Outcome> {
    const question = message.questions[0];
    if (question === undefined) return { kind: "none", rcode: rcodes.FORMERR };
    if ((message.edns?.version ?? 0) !== 0) return { kind: "none", rcode: rcodes.BADVERS };
    const name = foldName(question.name);
    const request: DnsRequest = {
      message,
      question,
      name,
      client: arrival.client,
      server: arrival.label,
      size,
      resolve: (target, type) => this.#resolve(target, type, arrival, depth),
    };
    const chain = question.class === classes.IN ? chainOf(arrival.zones, name, question.type) : undefined;
    if (chain === undefined) {
      this.#requests.count(request, "dropped", { kind: "none", rcode: rcodes.REFUSED }, 0);
      return { kind: "none", rcode: rcodes.REFUSED };
    }
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
    return { kind: "none", rcode: rcodes.SERVFAIL };
  }

  #resolve(name: string, type: number, arrival: Arrival, depth: number): Awaitable<Message | undefined> {
    if (depth >= maxDepth) return undefined;
    const query = createQuery(name, type);
    return after(this.message(query, arrival, 0, depth + 1), (outcome) => messageOf(query, outcome));
  }

  #finish(query: Message, { client }: Arrival, outcome: Outcome): Uint8Array | undefined {
    const message = messageOf(query, outcome);
    if (message === undefined) return undefined;
    const udpBytes = Math.min(Math.max(query.edns?.udpSize ?? minUdpBytes, minUdpBytes), maxUdpBytes);
    const max = client.protocol === "tcp" ? maxTcpBytes : udpBytes;
    const { edns: _, ...plain } = message;
    const edns = query.edns === undefined ? {} : { edns: { version: 0, udpSize: maxUdpBytes, dnssecOk: query.edns.dnssecOk, options: [] } };
    try {
      return encode({ ...plain, id: query.id, ...edns }, max);
    } catch (error) {
      this.#broken(error, query.questions[0]?.name ?? "");
      return encode(createReply(query, { rcode: rcodes.SERVFAIL }), max);
    }
  }
}

/** The reply of an outcome, one that only has a code included; undefined when the client gets none. */
export function messageOf(query: Message, outcome: Outcome): Message | undefined {
  if (outcome.kind === "drop") return undefined;
  return outcome.kind === "reply" ? outcome.message : createReply(query, { rcode: outcome.rcode });
}

/** What no plugin has to see (as miekg/dns' accept function): other operations, not exactly one question, sections too full. */
function refusalOf({ opcode, counts: [questions, answers, authorities, additionals] }: Header): number | undefined {
  if (opcode !== opcodes.QUERY) return rcodes.NOTIMP;
  return questions !== 1 || answers > 1 || authorities > 1 || additionals > 2 ? rcodes.FORMERR : undefined;
}

/** Without a question: it could not be read, or was not one. */
function bareReply({ id, opcode, recursionDesired }: Header, rcode: number): Uint8Array {
  const query = createQuery(".", recordTypes.A, { id, opcode, recursionDesired, questions: [] });
  return encode(createReply(query, { rcode }));
}

/**
 * The chain of the longest zone that holds the name. A DS record belongs to the parent's side of a cut, so for that type the
 * shortest zone wins (RFC 4035 3.1.4.1), the root only when it is the one zone there is.
 */
export function chainOf(zones: ReadonlyMap<string, Chain>, name: string, type: number): Chain | undefined {
  let found: Chain | undefined;
  for (let at = 0; at < name.length; at = afterDot(name, at)) {
    const chain = name.length - at === 1 ? undefined : zones.get(at === 0 ? name : name.slice(at));
    if (chain === undefined) continue;
    if (type !== recordTypes.DS) return chain;
    found = chain;
  }
  return found ?? zones.get(".");
}

/** Where the next label begins; the length at the end. */
function afterDot(name: string, from: number): number {
  for (let i = from; i < name.length; i++) {
    if (name[i] === "\\") i++;
    else if (name[i] === ".") return i + 1;
  }
  return name.length;
}
