/**
 * What a plugin is. A server block's plugins form a chain, in the order of `plugins.ts`, not of the Corefile: each handler
 * answers, or asks the next one, and may change what comes back on the way. Answers are values, so a handler that only looks
 * (`log`, `prometheus`) and one that only answers (`whoami`) have the same shape.
 */
import type { ResourceRecord } from "../decide/dns/records.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";
import type { TokenReader } from "./corefile/reader.ts";
import type { CorefileSources } from "./corefile/sources.ts";
import type { Message, Question } from "./wire/message.ts";

export interface ClientAddress {
  readonly address: string;
  readonly port: number;
  readonly protocol: "udp" | "tcp";
}

export interface DnsRequest {
  readonly message: Message;
  readonly question: Question;
  /** The question's name, folded. */
  readonly name: string;
  readonly client: ClientAddress;
  /** Where it came in, as the Corefile calls it: `dns://:53`. The metrics' label. */
  readonly server: string;
  /** Of the query, in bytes. */
  readonly size: number;
  /**
   * Asks this server as a client would, from the first plugin on; for what an answer needs and another zone or an upstream
   * holds (the target of a CNAME). Undefined when there is no answer, or this goes in a circle.
   */
  resolve(name: string, type: number): Awaitable<Message | undefined>;
}

/** Values that are there at once stay synchronous: an answer from memory costs no turn of the event loop. */
export type Awaitable<T> = T | Promise<T>;

export function after<T, R>(value: Awaitable<T>, use: (value: T) => Awaitable<R>): Awaitable<R> {
  return value instanceof Promise ? value.then(use) : use(value);
}

export interface Reply {
  readonly kind: "reply";
  readonly message: Message;
  /** The plugin that answered. */
  readonly plugin: string;
  /**
   * Shows what this program holds itself, and is out of date as soon as that changes: no plugin on the way may keep it.
   */
  readonly live?: boolean;
}

/** Nobody answered: the server does, with this code and nothing else. `error` says why, to the logs. */
export interface NoReply {
  readonly kind: "none";
  readonly rcode: number;
  readonly error?: Error;
}

/** The client gets no answer at all. */
export interface Dropped {
  readonly kind: "drop";
}

export type Outcome = Reply | NoReply | Dropped;

export type Next = (request: DnsRequest) => Awaitable<Outcome>;

export interface Handler {
  /** The directive. */
  readonly name: string;
  serveDNS(request: DnsRequest, next: Next): Awaitable<Outcome>;
}

/** Ready, or why not. */
export type PluginReadiness = { readonly ready: true } | { readonly ready: false; readonly reason: string };

/**
 * What a directive of one server block became. The configuration that it belongs to owns it: `start` is called when it goes
 * into use, before its first request; `stop` after its last.
 */
export interface PluginInstance {
  /** In the order of the directive's occurrences; none for a plugin that stands beside the chain. */
  readonly handlers?: readonly Handler[];
  start?(): Awaitable<void>;
  stop?(): Awaitable<void>;
  /** When the server is about to end, while it still answers: time to tell others. Not for a reload. */
  drain?(): Awaitable<void>;
  /** Only of a plugin that has to become ready. */
  ready?(): PluginReadiness;
}

/** An entry of the ordered list: a directive and how it is set up. */
export interface PluginEntry {
  /** The directive, the folder, the log prefix and the metrics' subsystem. */
  readonly name: string;
  /** At the directive's name. Throws FL_COREFILE, best by `reader.error`. */
  setup(reader: TokenReader, block: BlockContext): PluginInstance;
}

/** The server block that a directive stands in, and what its plugin may use. */
export interface BlockContext {
  /** Folded and absolute, CIDR blocks expanded. */
  readonly zones: readonly string[];
  /** Of the first key. */
  readonly port: number;
  /** The addresses to listen at; `bind` sets them. Empty: those of the server's options. */
  bind: readonly string[];
  readonly environment: PluginEnvironment;
  readonly configuration: ConfigurationContext;
}

/** What all blocks of one Corefile share. */
export interface ConfigurationContext {
  /** Name of the Corefile, for messages and relative paths. */
  readonly file: string;
  /** Of the text and everything imported: the same when the configuration is. */
  readonly digest: string;
  /** Every plugin of every block that has to become ready, once all are set up. */
  readonly readiness: () => readonly { readonly plugin: string; readonly state: PluginReadiness }[];
  /** The IP addresses at which the server answers, once it does. */
  readonly hosts: () => readonly string[];
}

export interface PluginEnvironment {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  /** In [0, 1). */
  readonly random: () => number;
  readonly sources: CorefileSources;
  readonly http: HttpEndpoints;
  /** Reads the Corefile again where it comes from a file, and takes it into use if it changed. */
  readonly checkCorefile: () => void;
}

/** One HTTP server per address however many blocks and configurations ask for it, so a reload never closes it. */
export interface HttpEndpoints {
  /** `:8080` or `host:port`. Rejects with FL_LISTEN. */
  open(address: string, path: string, handler: HttpHandler): Promise<HttpLease>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

export type HttpHandler = () => Awaitable<HttpAnswer>;

export interface HttpLease {
  /** Ends this use; the server ends with its last. */
  release(): Promise<void>;
}

/** Which names go on to the next plugin when this one has nothing (`fallthrough [ZONES]`). */
export type Fallthrough = readonly string[];

export const reply = (plugin: string, message: Message): Reply => ({ kind: "reply", message, plugin });
export const failure = (rcode: number, error?: Error): NoReply =>
  error === undefined ? { kind: "none", rcode } : { kind: "none", rcode, error };

/** The records of all sections, for plugins that change them alike. */
export function mapRecords(message: Message, change: (records: readonly ResourceRecord[]) => readonly ResourceRecord[]): Message {
  return {
    ...message,
    answers: change(message.answers),
    authorities: change(message.authorities),
    additionals: change(message.additionals),
  };
}
