/**
 * Real servers that take no new connections and are taken away when their last one has ended (upstream
 * pkg/proxy/ipvs/graceful_termination.go). The kernel tells nobody when that is, so it is asked now and then.
 */
import type { ServerIdentity } from "../../../decide/proxy/render/ipvs/operations.ts";
import { realKey, serverKey, type RealServer } from "../../../decide/proxy/render/ipvs/state.ts";
import type { Ipvs, IpvsCommand } from "../../../host/ipvs/ipvs.ts";
import type { Clock, Timer } from "../../../lib/clock.ts";

export interface DrainsOptions {
  readonly ipvs: Ipvs;
  readonly clock: Clock;
  readonly intervalMs: number;
}

export class Drains {
  readonly #options: DrainsOptions;
  /** Virtual server → its draining real servers. */
  readonly #servers = new Map<string, { readonly server: ServerIdentity; readonly reals: Map<string, RealServer> }>();
  #timer: Timer | undefined;

  constructor(options: DrainsOptions) {
    this.#options = options;
  }

  get size(): number {
    let size = 0;
    for (const { reals } of this.#servers.values()) size += reals.size;
    return size;
  }

  add(server: ServerIdentity, real: RealServer): void {
    const key = serverKey(server);
    const entry = this.#servers.get(key) ?? { server, reals: new Map<string, RealServer>() };
    this.#servers.set(key, entry);
    entry.reals.set(realKey(real), real);
    this.#timer ??= this.#options.clock.after(this.#options.intervalMs, () => this.#look());
  }

  /** It is wanted again. */
  forget(server: ServerIdentity, real: RealServer): void {
    const key = serverKey(server);
    const entry = this.#servers.get(key);
    entry?.reals.delete(realKey(real));
    if (entry?.reals.size === 0) this.#servers.delete(key);
  }

  forgetServer(server: ServerIdentity): void {
    this.#servers.delete(serverKey(server));
  }

  /** Takes away what has no connection left. */
  #look(): void {
    this.#timer = undefined;
    const gone: { readonly server: ServerIdentity; readonly real: RealServer }[] = [];
    for (const { server, reals } of this.#servers.values()) {
      const now = new Map(this.#options.ipvs.destinations(server).map((destination) => [realKey(destination), destination]));
      for (const [key, real] of reals) if ((now.get(key)?.connections ?? 0) === 0) gone.push({ server, real });
    }
    this.#options.ipvs.run(
      gone.map(({ server, real }): IpvsCommand => ({ kind: "deleteDestination", service: server, destination: real })),
    );
    for (const { server, real } of gone) this.forget(server, real);
    if (this.#servers.size > 0) this.#timer = this.#options.clock.after(this.#options.intervalMs, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
