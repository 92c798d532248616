/** One server that questions are passed on to: a random id and port for each question (RFC 5452), and whether it is up. */
import { createSocket } from "node:dgram";
import { recordTypes } from "../../../decide/dns/records.ts";
import type { Clock, Timer } from "../../../lib/clock.ts";
import type { Counter, MetricsRegistry } from "../../../lib/metrics.ts";
import { isAnswerTo } from "../../client/exchange.ts";
import type { DnsRequest } from "../../plugin.ts";
import { decode } from "../../wire/decode.ts";
import { encode } from "../../wire/encode.ts";
import { optionCodes } from "../../wire/extended-error.ts";
import { createQuery, type Message } from "../../wire/message.ts";
import { HttpsQuestions } from "./doh.ts";
import type { ForwardSettings } from "./handler.ts";
import { Streams } from "./streams.ts";
import type { UpstreamTarget } from "./targets.ts";

export interface UpstreamOptions {
  readonly target: UpstreamTarget;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: MetricsRegistry;
  readonly settings: Pick<
    ForwardSettings,
    | "healthCheckMs"
    | "healthCheckDomain"
    | "healthCheckRecursion"
    | "maxFails"
    | "transport"
    | "expireMs"
    | "maxAgeMs"
    | "maxIdle"
    | "sourceAddress"
    | "dohMethod"
  >;
}

export interface ExchangeOptions {
  readonly tcp: boolean;
  readonly timeoutMs: number;
}

export class Upstream {
  readonly address: string;
  readonly #options: UpstreamOptions;
  readonly #probeFailures: Counter;
  readonly #streams: Streams;
  readonly #https: HttpsQuestions;
  #fails = 0;
  #check: Timer | undefined;
  #stopped = false;
  /** Why it is not asked at all; undefined: it is. */
  quarantined: string | undefined;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    const { target, clock, metrics, settings } = options;
    this.address = target.label;
    const counter = (name: string, help: string, ...labels: readonly string[]) =>
      metrics.counter(name, help, ["proxy_name", "to", ...(labels.length > 0 ? ["proto"] : [])]).labels("forward", this.address, ...labels);
    this.#probeFailures = counter("coredns_proxy_healthcheck_failures_total", "Counter of the number of failed healthchecks.");
    const proto = target.transport === "tls" ? "tcp-tls" : "tcp";
    const hits = counter("coredns_proxy_conn_cache_hits_total", "Counter of connection cache hits per upstream and protocol.", proto);
    const misses = counter("coredns_proxy_conn_cache_misses_total", "Counter of connection cache misses per upstream and protocol.", proto);
    const { expireMs, maxAgeMs, maxIdle, sourceAddress, dohMethod } = settings;
    this.#streams = new Streams({
      target,
      clock,
      expireMs,
      maxAgeMs,
      maxIdle,
      sourceAddress,
      reused: (was) => (was ? hits : misses).inc(),
    });
    this.#https = new HttpsQuestions(target, dohMethod);
  }

  get down(): boolean {
    const { maxFails } = this.#options.settings;
    return maxFails > 0 && this.#fails >= maxFails;
  }

  /** The answer, with the client's id and question. Rejects when there is none in time. */
  async exchange({ message, question }: DnsRequest, options: ExchangeOptions): Promise<Message> {
    const query = withoutHopOptions({ ...message, id: Math.floor(this.#options.random() * 65_536) });
    try {
      let answer = await this.#send(query, options);
      // Cut short by UDP: the whole of it comes by TCP, and the server cuts it again for a client that cannot take it.
      if (answer.truncated && !options.tcp && this.#options.target.transport === "dns")
        answer = await this.#send(query, { ...options, tcp: true });
      this.#fails = 0;
      return withoutHopOptions({ ...answer, id: message.id, questions: [question] });
    } catch (error) {
      this.#failed();
      throw error;
    }
  }

  /** Sends a question and forgets it: to see whether it comes back. */
  probe(query: Message): void {
    // An upstream that does not answer is found out by real questions.
    this.#send(query, { tcp: false, timeoutMs: 1000 }).catch(() => undefined);
  }

  stop(): void {
    this.#stopped = true;
    this.#check?.cancel();
    this.#streams.stop();
    this.#https.stop();
  }

  /** Asked for name servers at intervals until any answer comes back. */
  #failed(): void {
    this.#fails++;
    const { clock, random, settings } = this.#options;
    if (this.#check !== undefined || this.#stopped || settings.maxFails === 0) return;
    this.#check = clock.after(settings.healthCheckMs, () => {
      this.#check = undefined;
      const probe = createQuery(settings.healthCheckDomain, recordTypes.NS, {
        id: Math.floor(random() * 65_536),
        recursionDesired: settings.healthCheckRecursion,
      });
      this.#send(probe, { tcp: settings.transport === "tcp", timeoutMs: 1000 }).then(
        () => void (this.#fails = 0),
        () => {
          this.#probeFailures.inc();
          this.#failed();
        },
      );
    });
  }

  async #send(query: Message, { tcp, timeoutMs }: ExchangeOptions): Promise<Message> {
    const { transport } = this.#options.target;
    if (transport === "https") return this.#overHttps(query, timeoutMs);
    if (transport === "dns" && !tcp) return this.#overUdp(query, timeoutMs);
    let answer: Message | undefined;
    await this.#streams.ask(encode(query), timeoutMs, (packet) => (answer = answerIn(packet, query)) !== undefined);
    if (answer === undefined) throw new Error(`${this.address} gave no answer`);
    return answer;
  }

  async #overHttps(query: Message, timeoutMs: number): Promise<Message> {
    const packet = await this.#https.ask(encode({ ...query, id: 0 }), timeoutMs);
    const answer = answerIn(packet, { ...query, id: 0 });
    if (answer === undefined) throw new Error(`${this.address} answered another question`);
    return { ...answer, id: query.id };
  }

  #overUdp(query: Message, timeoutMs: number): Promise<Message> {
    const { target, clock, settings } = this.#options;
    const { host, port } = target;
    return new Promise((resolve, reject) => {
      const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
      let open = true;
      const end = (act: () => void) => {
        if (!open) return;
        open = false;
        timer.cancel();
        socket.close();
        act();
      };
      const timer = clock.after(timeoutMs, () => end(() => reject(new Error(`${this.address} did not answer within ${timeoutMs} ms`))));
      socket.on("error", (error) => end(() => reject(error)));
      socket.on("message", (packet) => {
        const answer = answerIn(packet, query);
        // Anything but the answer to this very question may be a forgery: the right one may still come.
        if (answer !== undefined) end(() => resolve(answer));
      });
      const send = () => {
        // Connected: packets of others do not arrive, and a closed port is told at once.
        socket.connect(port, host, () => open && socket.send(encode(query), (error) => void (error !== null && end(() => reject(error)))));
      };
      if (settings.sourceAddress === undefined) send();
      else socket.bind({ port: 0, address: settings.sourceAddress }, send);
    });
  }
}

function answerIn(packet: Uint8Array, query: Message): Message | undefined {
  const decoded = decode(packet);
  return decoded.kind === "ok" && isAnswerTo(query, decoded.message) ? decoded.message : undefined;
}

/** What is said between two neighbours only, and would be wrong to pass on (RFC 6891 6.2.5, RFC 7873, 7828, 7830). */
const hopOptions: readonly number[] = [optionCodes.COOKIE, optionCodes.KEEPALIVE, optionCodes.PADDING];

function withoutHopOptions(message: Message): Message {
  const { edns } = message;
  if (edns === undefined || edns.options.length === 0) return message;
  return { ...message, edns: { ...edns, options: edns.options.filter(({ code }) => !hopOptions.includes(code)) } };
}
