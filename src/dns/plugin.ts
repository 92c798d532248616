/**
 * What a plugin is. A server block's plugins form a chain, in the order of `plugins.ts`, not of the Corefile: each handler
 * answers, or asks the next one, and may change what comes back on the way. Answers are values, so a handler that only looks
 * (`log`, `prometheus`) and one that only answers (`whoami`) have the same shape.
 */
import type { DnsIndex } from "../decide/dns/index.ts";
import { rcodes, type ResourceRecord } from "../decide/dns/records.ts";
import type { SeenQuery, TopReport } from "../decide/dns/top/query-tally.ts";
import type { ZoneChange } from "../decide/dns/zone/zone-changes.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Cidr } from "../lib/ip.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";
import type { TokenReader } from "./corefile/reader.ts";
import type { CorefileSources } from "./corefile/sources.ts";
import type { Transport } from "./corefile/zones.ts";
import type { ExtendedError } from "./wire/extended-error.ts";
import type { Message, Question } from "./wire/message.ts";

export interface ClientAddress {
  readonly address: string;
  readonly port: number;
  readonly protocol: "udp" | "tcp";
  /** How the protocol was carried, where that is not the protocol itself. */
  readonly transport?: "tls" | "https" | "grpc";
  /** The address at which the server was asked, where that is known. */
  readonly local?: { readonly address: string; readonly port: number };
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
  /** The `view` that took the query; empty without one. */
  readonly view: string;
  /** What plugins tell about the query (`metadata`), `plugin/label` → its value, worked out when it is read. */
  readonly labels?: QueryLabels;
  /**
   * Asks this server as a client would, from the first plugin on; for what an answer needs and another zone or an upstream
   * holds (the target of a CNAME). Undefined when there is no answer, or this goes in a circle.
   */
  resolve(name: string, type: number): Awaitable<Message | undefined>;
}

export type QueryLabels = ReadonlyMap<string, () => string>;

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
  /** The one at which this query ended, where that is another: `cache`, which keeps answers of others. */
  readonly by?: string;
  /**
   * Shows what this program holds itself, and is out of date as soon as that changes: no plugin on the way may keep it.
   */
  readonly live?: boolean;
  /** For people who ask how it came to be: the reason, and the object that it shows. */
  readonly why?: string;
  /** The client gets no more by UDP, though it could take it. */
  readonly maxBytes?: number;
  /** How long the server may repeat it: until a change of what it names, or for so many milliseconds. */
  readonly holds?: Holds;
}

export type Holds =
  | { readonly until: "change"; readonly tag: string; readonly source: ChangeSource }
  /** `sinceSecond`: its TTLs count down, and the present second of them began so many ms ago. Absent: they stay. */
  | { readonly until: "time"; readonly ms: number; readonly sinceSecond?: number };

/** Tells which answers no longer hold. */
export interface ChangeSource {
  /** `tag`: of the answers that are out of date; undefined: all of them. Returns the function that ends it. */
  onChange(listener: (tag: string | undefined) => void): () => void;
}

/** Nobody answered: the server does, with this code and nothing else. `error` says why, to the logs. */
export interface NoReply {
  readonly kind: "none";
  readonly rcode: number;
  readonly error?: Error;
  /** What the client may know of the reason (RFC 8914). */
  readonly reason?: ExtendedError;
}

/** A zone handed over, one message after the other; by TCP only. */
export interface Transfer {
  readonly kind: "transfer";
  readonly messages: readonly Message[];
  readonly plugin: string;
}

/** The client gets no answer at all. */
export interface Dropped {
  readonly kind: "drop";
}

export type Outcome = Reply | NoReply | Dropped | Transfer;

export type Next = (request: DnsRequest) => Awaitable<Outcome>;

/** Counts what was sent again so many times. */
export type CountAgain = (times: number) => void;

export interface Handler {
  /** The directive. */
  readonly name: string;
  /**
   * It does the same for the same question whoever asks and whenever, or only looks: an answer that came through nothing but
   * such handlers may be sent again as it is while it holds (`Reply.holds`).
   */
  readonly repeatable?: boolean;
  /**
   * Of a repeatable handler that counts: called when an answer is kept; what it returns is called when that was sent again. It stays
   * as long as the answer: it should hold counters, not the request.
   */
  repeats?(request: DnsRequest, outcome: Reply): CountAgain | undefined;
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
  /** What it offers to others of its block. */
  readonly zones?: ZoneSource;
  readonly labels?: (request: DnsRequest) => Iterable<readonly [string, () => string]>;
  /** The search path of the client, the last entry empty; undefined: not known. For `autopath`. */
  readonly searchPath?: (request: DnsRequest) => readonly string[] | undefined;
  readonly external?: ExternalNames;
  /** What it keeps of answers to a question, whoever asked. Name folded. For who explains. */
  readonly kept?: (name: string, type: number) => readonly KeptState[];
  /** The servers that questions are passed on to. For `loop`. */
  readonly upstreams?: () => readonly ForwardTarget[];
  /** Whether a query is this block's at all; all its plugins must agree. For `view`. */
  readonly view?: { readonly name: string; readonly accepts: (request: DnsRequest) => boolean };
}

/** An answer that is kept. */
export interface KeptState {
  readonly rcode: number;
  readonly records: number;
  /** Of its time; below zero: it is old, and told only where nobody knows better. */
  readonly secondsLeft: number;
}

/** Zones that can be handed over whole (AXFR). */
export interface ZoneSource {
  /** Folded. */
  readonly origins: () => readonly string[];
  /** All records, the SOA first and not again at the end; undefined when the zone is not here, or not yet. */
  records(origin: string): readonly ResourceRecord[] | undefined;
  /** What changed since the version with this serial, in order; undefined when that is not known. */
  changes?(origin: string, serial: number): readonly ZoneChange[] | undefined;
  /** Called when a zone has changed. */
  onChange?(listener: (origin: string) => void): () => void;
}

/** A server that questions are passed on to. */
export interface ForwardTarget {
  readonly address: string;
  /** Why it is not asked; undefined: it is. */
  quarantined: string | undefined;
  /** Sends a question and does not wait for the answer. */
  probe(query: Message): void;
}

/** What `k8s_external` shows of a cluster. */
export interface ExternalNames {
  readonly index: DnsIndex;
  readonly namespaces: ReadonlySet<string>;
  readonly endpointPodNames: boolean;
  readonly localAddresses: () => readonly string[];
  readonly synced: () => boolean;
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
  /** Of the first key. */
  readonly transport: Transport;
  /** Of all keys. */
  readonly transports: readonly Transport[];
  /** The addresses to listen at; `bind` sets them. Empty: those of the server's options. */
  bind: readonly string[];
  /** How to listen; plugins that stand beside the chain set it. */
  readonly listening: ListenSettings;
  /** Where relative paths begin (`root`); undefined: beside the Corefile. */
  root: string | undefined;
  /** The plugins of this block, complete once all are set up. */
  readonly instances: () => readonly { readonly plugin: string; readonly instance: PluginInstance }[];
  readonly environment: PluginEnvironment;
  readonly configuration: ConfigurationContext;
}

/** What plugins say about the sockets of their block. Times in milliseconds. */
export interface ListenSettings {
  tls?: TlsSettings;
  readMs?: number;
  writeMs?: number;
  idleMs?: number;
  /** Questions on one TCP connection; -1: no limit. */
  maxTcpQueries?: number;
  /** UDP sockets that share the port. */
  sockets?: number;
  proxyProtocol?: ProxyProtocolSettings;
  /** Of a gRPC server; 0: no limit. */
  maxStreams?: number;
  /** 0: no limit. */
  maxConnections?: number;
  /** Queries that come while so many are under way are not answered. */
  shedAbove?: number;
}

/** PEM texts. */
export interface TlsSettings {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
  readonly clientAuth: "nocert" | "request" | "require" | "verify_if_given" | "require_and_verify";
}

export interface ProxyProtocolSettings {
  /** Sources whose headers count; empty: all. */
  readonly allow: readonly Cidr[];
  /** What happens to headers of others. */
  readonly others: "use" | "ignore" | "reject" | "skip";
  /** For how long a UDP header without a query stands for those that follow, in ms; 0: not at all. */
  readonly sessionMs: number;
  readonly maxSessions: number;
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
  readonly watch: QueryWatch;
  /** Reads the Corefile again where it comes from a file, and takes it into use if it changed. */
  readonly checkCorefile: () => void;
}

/** Counts of questions by client and name, made while somebody wants them. */
export interface QueryWatch {
  readonly on: boolean;
  /** Gives the way to end it. */
  begin(): () => void;
  saw(query: SeenQuery, times?: number): void;
  report(): TopReport | undefined;
}

/** One HTTP server per address however many blocks and configurations ask for it, so a reload never closes it. */
export interface HttpEndpoints {
  /** `:8080` or `host:port`. Rejects with FL_LISTEN. */
  open(address: string, path: string, handler: HttpHandler): Promise<HttpLease>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string | Uint8Array;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `query`: of the URL. */
export type HttpHandler = (query: URLSearchParams) => Awaitable<HttpAnswer>;

export interface HttpLease {
  /** Ends this use; the server ends with its last. */
  release(): Promise<void>;
}

/** Which names go on to the next plugin when this one has nothing (`fallthrough [ZONES]`). */
export type Fallthrough = readonly string[];

export const reply = (plugin: string, message: Message): Reply => ({ kind: "reply", message, plugin });
export const failure = (rcode: number, error?: Error, reason?: ExtendedError): NoReply => ({
  kind: "none",
  rcode,
  ...(error === undefined ? {} : { error }),
  ...(reason === undefined ? {} : { reason }),
});

/** The code that the client gets. */
export const rcodeOf = (outcome: Outcome): number =>
  outcome.kind === "reply" ? outcome.message.rcode : outcome.kind === "none" ? outcome.rcode : rcodes.NOERROR;

/** The records of all sections, for plugins that change them alike. */
export function mapRecords(message: Message, change: (records: readonly ResourceRecord[]) => readonly ResourceRecord[]): Message {
  return {
    ...message,
    answers: change(message.answers),
    authorities: change(message.authorities),
    additionals: change(message.additionals),
  };
}
