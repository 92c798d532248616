/**
 * The DNS server: configurations come and go (reload), listeners stay while any configuration uses their address, and what is
 * under way in an old configuration is answered by it.
 */
import { isReady, type Component, type Readiness } from "../../component/component.ts";
import { absolute, foldName } from "../../decide/dns/name.ts";
import { QueryTally } from "../../decide/dns/top/query-tally.ts";
import { rcodes } from "../../decide/dns/records.ts";
import type { Clock } from "../../lib/clock.ts";
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { MetricsRegistry } from "../../lib/metrics.ts";
import { configure, type Configuration, type ServerGroup } from "../corefile/configure.ts";
import { systemSources, type CorefileSources } from "../corefile/sources.ts";
import {
  after,
  type Awaitable,
  type ClientAddress,
  type Handler,
  type KeptState,
  type PluginEnvironment,
  type QueryWatch,
} from "../plugin.ts";
import { machineSearch } from "../plugins/autopath/resolv-conf.ts";
import { pluginList, unsupportedDirectives, type PluginSources } from "../plugins.ts";
import { createQuery, createReply, type Message } from "../wire/message.ts";
import { Answerer, type Answer } from "./answer.ts";
import type { AnswerKeeper } from "./answer-table.ts";
import { messageOf } from "./finish.ts";
import { SharedHttpEndpoints } from "./http-endpoints.ts";
import { InUse } from "./in-use.ts";
import { listen } from "./listen.ts";
import { TalliedWatch } from "./query-watch.ts";
import type { Listener, SocketSource } from "./listener.ts";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface DnsServerOptions {
  readonly corefile: string;
  /** For messages and relative paths; with `watchFile` where it is read again. */
  readonly file: string;
  /** Of keys of the Corefile for plain DNS that name no port. Default 53. */
  readonly defaultPort?: number;
  /** Something around each handler, to see what it does. */
  readonly wrap?: (handler: Handler) => Handler;
  /** The Corefile is a file that `reload` reads again. Default: its owner calls `reload`. */
  readonly watchFile?: boolean;
  readonly plugins: PluginSources;
  /**
   * Where an address of the Corefile (`dns://:53`; `host` if `bind` names one) really listens: tried in order, the last
   * failure counts. Empty: not at all.
   */
  readonly listen: (label: string, port: number, host: string) => readonly ListenAddress[];
  /** UDP in batches, in threads of their own, where the machine can; each takes 12 MB. Default: it does not. */
  readonly batch?: boolean;
  /** Who makes the sockets, of the HTTP pages too. Default: this thread. */
  readonly sockets?: SocketSource;
  /** Where `health`, `ready` and `prometheus` listen if the Corefile names no host. Default 127.0.0.1. */
  readonly httpHost?: string;
  /** What `localhost` is for those. Default 127.0.0.1. */
  readonly httpLoopback?: string;
  /** The port for those, given the Corefile's; 0: any; undefined: none. Default: the Corefile's. */
  readonly httpPort?: (port: number) => number | undefined;
  /** Whether `stop` waits for `lameduck` of `health`, as a pod behind other load balancers must. Default: it does not. */
  readonly lameduck?: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  /** In [0, 1). Default Math.random. */
  readonly random?: () => number;
  readonly sources?: CorefileSources;
}

export type ReloadResult = { readonly ok: true } | { readonly ok: false; readonly message: string };

export interface DnsServer extends Component {
  /** Takes another Corefile into use without losing a query; one that cannot be used changes nothing. */
  reload(corefile: string): Promise<ReloadResult>;
  /** Through the same chains, in this process, as if a client had asked by TCP. `from`: its address, default 127.0.0.1. */
  query(name: string, type: number, from?: string): Promise<Message>;
  /** A whole message, with EDNS and all. Undefined: no plugin lets it have an answer. */
  exchange(query: Message, from?: string): Promise<Message | undefined>;
  /** What the caches keep of answers to a question. */
  kept(name: string, type: number): readonly KeptState[];
  /** Who asks for what; begin it to have it counted. */
  watch(): QueryWatch;
  /** Label of the Corefile → where it listens. */
  addresses(): ReadonlyMap<string, ListenAddress>;
  /** Path of `health`, `ready`, `prometheus` → where they listen. */
  httpAddresses(): ReadonlyMap<string, ListenAddress>;
}

interface Listening extends Listener {
  /** Of the settings it was opened with. */
  readonly settings: string;
}

/** What an old configuration is given for the queries that it has begun. */
const graceMs = 5000;

export function createDnsServer(options: DnsServerOptions): DnsServer {
  return new Server(options);
}

class Server implements DnsServer {
  readonly name = "dns";
  readonly #options: DnsServerOptions;
  readonly #log: Logger;
  readonly #environment: PluginEnvironment;
  readonly #http: SharedHttpEndpoints;
  readonly #answerer: Answerer;
  readonly #listeners = new Map<string, Listening>();
  readonly #retiring = new Set<Promise<void>>();
  #current: InUse | undefined;
  #changes: Promise<unknown> = Promise.resolve();

  constructor(options: DnsServerOptions) {
    this.#options = options;
    this.#log = options.log.child("dns");
    const { clock, metrics, random = Math.random, sources = systemSources, httpHost, httpLoopback, httpPort, sockets } = options;
    this.#http = new SharedHttpEndpoints({
      ...(httpHost === undefined ? {} : { host: httpHost }),
      ...(httpLoopback === undefined ? {} : { loopback: httpLoopback }),
      ...(httpPort === undefined ? {} : { port: httpPort }),
      ...(sockets === undefined ? {} : { sockets }),
    });
    const checkCorefile = () => void (options.watchFile === true && this.#checkFile());
    const watch = new TalliedWatch(() => new QueryTally({ now: () => clock.now(), machine: machineSearch(sources) }));
    this.#environment = { clock, metrics, random, sources, http: this.#http, watch, log: this.#log, checkCorefile };
    this.#answerer = new Answerer(this.#environment);
  }

  kept(name: string, type: number): readonly KeptState[] {
    const folded = foldName(absolute(name));
    return (this.#current?.configuration.instances ?? []).flatMap(({ instance }) => instance.kept?.(folded, type) ?? []);
  }

  watch(): QueryWatch {
    return this.#environment.watch;
  }

  async start(): Promise<void> {
    await this.#use(this.#configure(this.#options.corefile));
  }

  async stop(): Promise<void> {
    await this.#changes;
    const current = this.#current;
    if (current !== undefined) {
      if (this.#options.lameduck === true) await Promise.all(current.configuration.instances.map(({ instance }) => instance.drain?.()));
      await current.idle(this.#options.clock, graceMs);
    }
    this.#current = undefined;
    await Promise.all([...this.#listeners.values()].map((listener) => listener.close()));
    this.#listeners.clear();
    current?.close();
    if (current !== undefined) await stopAll(current.configuration);
    await Promise.all(this.#retiring);
  }

  ready(): Readiness {
    if (this.#current === undefined) return { ready: false, reason: "no Corefile is in use" };
    for (const { plugin, instance } of this.#current.configuration.instances) {
      const state = instance.ready?.();
      if (state?.ready === false) return { ready: false, reason: `plugin/${plugin}: ${state.reason}` };
    }
    return isReady;
  }

  addresses(): ReadonlyMap<string, ListenAddress> {
    return this.#listeners;
  }

  httpAddresses(): ReadonlyMap<string, ListenAddress> {
    return this.#http.addresses();
  }

  reload(corefile: string): Promise<ReloadResult> {
    const result = this.#changes.then(async (): Promise<ReloadResult> => {
      try {
        await this.#use(this.#configure(corefile));
        this.#log.info("Reloading complete");
        return { ok: true };
      } catch (error) {
        this.#options.metrics.counter("coredns_reload_failed_total", "Counter of the number of failed reload attempts.").labels().inc();
        this.#log.error("the new Corefile is not used; the old one stays", { error: errorMessage(error) });
        return { ok: false, message: errorMessage(error) };
      }
    });
    this.#changes = result;
    return result;
  }

  /** What is imported counts too: the digest is of everything that was read. */
  #checkFile(): void {
    const { file, sources = systemSources } = this.#options;
    let text: string;
    let digest: string;
    try {
      text = sources.readFile(file);
      ({ digest } = this.#configure(text));
    } catch (error) {
      this.#log.error("the Corefile cannot be read again; the one in use stays", { error: errorMessage(error) });
      return;
    }
    if (digest !== this.#current?.configuration.digest) void this.reload(text);
  }

  #configure(text: string): Configuration {
    return configure({
      text,
      file: this.#options.file,
      plugins: pluginList(this.#options.plugins),
      unsupported: unsupportedDirectives,
      environment: this.#environment,
      ...(this.#options.defaultPort === undefined ? {} : { defaultPort: this.#options.defaultPort }),
      ...(this.#options.wrap === undefined ? {} : { wrap: this.#options.wrap }),
      hosts: () => [...new Set([...this.#listeners.values()].map(({ host }) => host))],
    });
  }

  /** The new one starts before the old one stops, so that nothing is between them. A failed start leaves the old one as it was. */
  async #use(next: Configuration): Promise<void> {
    const opened: string[] = [];
    try {
      for (const { instance } of next.instances) await instance.start?.();
      for (const group of next.servers) if (await this.#listen(group)) opened.push(group.label);
    } catch (error) {
      await Promise.all(opened.map((label) => this.#close(label)));
      await stopAll(next);
      throw error;
    }
    const before = this.#current;
    this.#current = new InUse(next);
    for (const listener of this.#listeners.values()) listener.forget?.();
    if (before !== undefined) this.#retire(before, next);
  }

  /** In the background: a slow upstream must not hold up who waits for the reload. */
  #retire(old: InUse, next: Configuration): void {
    const wanted = new Set(next.servers.map(({ label }) => label));
    const gone = old.configuration.servers.filter(({ label }) => !wanted.has(label));
    const retired = old
      .idle(this.#options.clock, graceMs)
      .then(async () => {
        await Promise.all(gone.filter(({ label }) => !this.#serves(label)).map(({ label }) => this.#close(label)));
        old.close();
        await stopAll(old.configuration);
      })
      .catch((error: unknown) => this.#log.error("the old Corefile did not end cleanly", { error: errorMessage(error) }))
      .finally(() => this.#retiring.delete(retired));
    this.#retiring.add(retired);
  }

  #serves(label: string): boolean {
    return this.#current?.configuration.servers.some((group) => group.label === label) === true;
  }

  /** Whether a listener was opened. One whose settings have changed is opened anew: clients of it come again. */
  async #listen({ label, port, host, transport, listening }: ServerGroup): Promise<boolean> {
    const settings = JSON.stringify(listening, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
    const there = this.#listeners.get(label);
    if (there?.settings === settings) return false;
    if (there !== undefined) await this.#close(label);
    const { sockets, batch = false } = this.#options;
    const candidates = this.#options.listen(label, port, host);
    const answer = (packet: Uint8Array, client: ClientAddress, keeper?: AnswerKeeper) => this.#packet(packet, client, label, keeper);
    let failed: unknown;
    for (const address of candidates) {
      try {
        const listener = await listen(transport, {
          ...address,
          answer,
          settings: listening,
          batch,
          ...(sockets === undefined ? {} : { sockets }),
        });
        this.#listeners.set(label, { ...listener, settings });
        return there === undefined;
      } catch (error) {
        failed = error;
      }
    }
    if (candidates.length > 0) throw failed;
    return false;
  }

  async #close(label: string): Promise<void> {
    const listener = this.#listeners.get(label);
    this.#listeners.delete(label);
    await listener?.close();
  }

  #packet(packet: Uint8Array, client: ClientAddress, label: string, keeper?: AnswerKeeper): Awaitable<Answer> {
    const current = this.#current;
    const used = current?.group(label);
    if (current === undefined || used === undefined) return undefined;
    const { group, table } = used;
    const kept = keeper === undefined ? { table, keeper: table } : { keeper: this.#whileInUse(keeper, current) };
    return current.track(this.#answerer.packet(packet, { client, label, routes: group.zones, ...kept }));
  }

  /** A thread's table is there longer than a configuration: what an old one still answers is not kept. */
  #whileInUse(keeper: AnswerKeeper, configuration: InUse): AnswerKeeper {
    return {
      put: (...args) => {
        if (this.#current === configuration) keeper.put(...args);
      },
    };
  }

  async query(name: string, type: number, from?: string): Promise<Message> {
    const query = createQuery(absolute(name), type);
    return (await this.exchange(query, from)) ?? createReply(query, { rcode: rcodes.SERVFAIL });
  }

  async exchange(query: Message, from = "127.0.0.1"): Promise<Message | undefined> {
    const current = this.#current;
    const group = current?.configuration.servers[0];
    if (current === undefined || group === undefined) throw new FairleadError("FL_NOT_RUNNING", "the DNS server does not run");
    const client: ClientAddress = { address: from, port: 0, protocol: "tcp" };
    const outcome = this.#answerer.message(query, { client, label: group.label, routes: group.zones }, 0);
    return await current.track(after(outcome, (done) => messageOf(query, done)));
  }
}

async function stopAll({ instances }: Configuration): Promise<void> {
  await Promise.all(instances.map(({ instance }) => instance.stop?.()));
}
