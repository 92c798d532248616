/** Keeps one zone as new as its primaries have it (RFC 1034 4.3.5): SOA timers, and at once when told (RFC 1996). */
import type { ResourceRecord } from "../../../decide/dns/records.ts";
import type { Timer } from "../../../lib/clock.ts";
import { errorMessage } from "../../../lib/errors.ts";
import type { ExchangeTarget } from "../../client/exchange.ts";
import type { ServerAddress } from "../../corefile/servers.ts";
import type { PluginEnvironment } from "../../plugin.ts";
import type { ZoneStore } from "../file/zone-store.ts";
import { isNewer } from "../../../decide/dns/zone/serial.ts";
import { serialAt, transferIn } from "./transfer-in.ts";

export interface RefresherOptions {
  readonly origin: string;
  readonly from: readonly ServerAddress[];
  readonly store: ZoneStore;
  readonly environment: PluginEnvironment;
}

const timeoutMs = 5000;
const firstRetryMs = 1000;
const maxRetryMs = 60_000;
const [refreshJitterMs, retryJitterMs] = [5000, 2000];

export class Refresher {
  readonly #options: RefresherOptions;
  #timer: Timer | undefined;
  #expiry: Timer | undefined;
  #running = false;
  #again = false;
  #stopped = false;
  #failures = 0;
  expired = false;

  constructor(options: RefresherOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#expiry?.cancel();
  }

  /** Whether the sender is one of the primaries; then it looks at once. */
  notified(from: string): boolean {
    const known = this.#options.from.some(({ host }) => host === from.replace(/^::ffff:/i, ""));
    if (known) void this.#look();
    return known;
  }

  async #look(): Promise<void> {
    if (this.#running) return void (this.#again = true);
    this.#running = true;
    this.#timer?.cancel();
    const done = await this.#tryAll();
    this.#running = false;
    if (this.#stopped) return;
    if (this.#again) {
      this.#again = false;
      return this.#look();
    }
    this.#wait(done);
  }

  async #tryAll(): Promise<boolean> {
    const { origin, from, environment } = this.#options;
    for (const server of from) {
      if (this.#stopped) return false;
      try {
        await this.#update(server);
        return true;
      } catch (error) {
        environment.log.warn(`zone ${origin} cannot be fetched from ${server.host}`, { error: errorMessage(error) });
      }
    }
    return false;
  }

  async #update(server: ServerAddress): Promise<void> {
    const { origin, store, environment } = this.#options;
    const target = { ...server, clock: environment.clock, timeoutMs };
    const id = () => Math.floor(environment.random() * 65_536);
    const have = store.serial(origin);
    if (have !== undefined && !isNewer(await serialAt(origin, target, id()), have)) return;
    const records = await this.#fetch(target, id);
    if (this.#stopped || records === undefined) return;
    const reason = store.set(origin, records);
    if (reason !== undefined) throw new Error(reason);
    environment.log.info(`zone ${origin} was fetched from ${server.host}`, { serial: store.serial(origin), records: records.length });
  }

  /** What changed, or all of it where a primary knows no IXFR or its changes do not fit. */
  async #fetch(target: ExchangeTarget, id: () => number): Promise<readonly ResourceRecord[] | undefined> {
    const { origin, store, environment } = this.#options;
    const here = store.records(origin);
    if (here !== undefined) {
      try {
        return await transferIn(origin, target, id(), here);
      } catch (error) {
        environment.log.debug(`zone ${origin} is fetched whole`, { error: errorMessage(error) });
      }
    }
    return await transferIn(origin, target, id());
  }

  #wait(done: boolean): void {
    const { environment, store, origin } = this.#options;
    const soa = soaOf(store.records(origin)?.[0]);
    this.#failures = done ? 0 : this.#failures + 1;
    if (done && soa !== undefined) {
      this.expired = false;
      this.#expiry?.cancel();
      this.#expiry = environment.clock.after(soa.expire * 1000, () => (this.expired = true));
    }
    const early = Math.min(firstRetryMs * 2 ** Math.min(this.#failures, 6), maxRetryMs);
    const base = soa === undefined ? early : (done ? soa.refresh : soa.retry) * 1000;
    const jitter = environment.random() * (done ? refreshJitterMs : retryJitterMs);
    this.#timer = environment.clock.after(Math.max(base, firstRetryMs) + jitter, () => void this.#look());
  }
}

function soaOf(record: ResourceRecord | undefined) {
  return record?.data.kind === "soa" ? record.data : undefined;
}
