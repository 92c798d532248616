/** One server that questions are passed on to: a socket and a random id for each question (RFC 5452), and whether it is up. */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { foldName } from "../../../decide/dns/name.ts";
import { recordTypes } from "../../../decide/dns/records.ts";
import type { Clock, Timer } from "../../../lib/clock.ts";
import { joinHostPort } from "../../../lib/ip.ts";
import type { Counter, MetricsRegistry } from "../../../lib/metrics.ts";
import type { DnsRequest } from "../../plugin.ts";
import { decode } from "../../wire/decode.ts";
import { encode } from "../../wire/encode.ts";
import { createQuery, type Message } from "../../wire/message.ts";
import type { ForwardSettings } from "./handler.ts";

export interface UpstreamOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: MetricsRegistry;
  readonly settings: Pick<ForwardSettings, "healthCheckMs" | "healthCheckDomain" | "healthCheckRecursion" | "maxFails" | "transport">;
}

export interface ExchangeOptions {
  readonly tcp: boolean;
  readonly timeoutMs: number;
}

export class Upstream {
  readonly address: string;
  readonly #options: UpstreamOptions;
  readonly #probeFailures: Counter;
  #fails = 0;
  #check: Timer | undefined;
  #stopped = false;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.address = joinHostPort(options.host, options.port);
    this.#probeFailures = options.metrics
      .counter("coredns_proxy_healthcheck_failures_total", "Counter of the number of failed healthchecks.", ["proxy_name", "to"])
      .labels("forward", this.address);
  }

  get down(): boolean {
    const { maxFails } = this.#options.settings;
    return maxFails > 0 && this.#fails >= maxFails;
  }

  /** The answer, with the client's id and question. Rejects when there is none in time. */
  async exchange({ message, question }: DnsRequest, options: ExchangeOptions): Promise<Message> {
    const id = Math.floor(this.#options.random() * 65_536);
    const query = { ...message, id };
    try {
      let answer = await this.#send(query, options);
      // Cut short by UDP: the whole of it comes by TCP, and the server cuts it again for a client that cannot take it.
      if (answer.truncated && !options.tcp) answer = await this.#send(query, { ...options, tcp: true });
      this.#fails = 0;
      return { ...answer, id: message.id, questions: [question] };
    } catch (error) {
      this.#failed();
      throw error;
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#check?.cancel();
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

  #send(query: Message, { tcp, timeoutMs }: ExchangeOptions): Promise<Message> {
    const bytes = encode(query);
    return new Promise((resolve, reject) => {
      const done = (error?: Error, answer?: Message) => {
        timer.cancel();
        close();
        if (answer === undefined) reject(error ?? new Error(`${this.address} gave no answer`));
        else resolve(answer);
      };
      const take = (packet: Uint8Array) => {
        const decoded = decode(packet);
        // Anything but the answer to this very question may be a forgery: the right one may still come.
        if (decoded.kind === "ok" && answers(decoded.message, query)) done(undefined, decoded.message);
      };
      const close = tcp ? this.#overTcp(bytes, take, done) : this.#overUdp(bytes, take, done);
      const timer = this.#options.clock.after(timeoutMs, () => done(new Error(`${this.address} did not answer within ${timeoutMs} ms`)));
    });
  }

  #overUdp(bytes: Uint8Array, take: (packet: Uint8Array) => void, done: (error: Error) => void): () => void {
    const { host, port } = this.#options;
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    let closed = false;
    socket.on("error", (error) => done(error));
    socket.on("message", take);
    // Connected: packets of others do not arrive, and a closed port is told at once.
    socket.connect(port, host, () => closed || socket.send(bytes, (error) => void (error !== null && done(error))));
    return () => {
      if (!closed) socket.close();
      closed = true;
    };
  }

  #overTcp(bytes: Uint8Array, take: (packet: Uint8Array) => void, done: (error: Error) => void): () => void {
    const { host, port } = this.#options;
    const socket = connect({ host, port });
    let received = Buffer.alloc(0);
    socket.on("error", done);
    socket.on("close", () => done(new Error(`${this.address} closed the connection without an answer`)));
    socket.on("connect", () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(bytes.length);
      socket.write(Buffer.concat([length, bytes]));
    });
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) take(received.subarray(2, 2 + received.readUInt16BE(0)));
    });
    return () => socket.destroy();
  }
}

function answers(message: Message, query: Message): boolean {
  const [asked, echoed] = [query.questions[0], message.questions[0]];
  if (!message.response || message.id !== query.id) return false;
  if (asked === undefined || echoed === undefined) return asked === echoed || message.rcode !== 0;
  return foldName(asked.name) === foldName(echoed.name) && asked.type === echoed.type && asked.class === echoed.class;
}
