/**
 * Chooses an endpoint for a new connection: round robin, or the one that the client had before (session affinity by address,
 * as `sessionAffinity: ClientIP`). Holds no sockets. A pick is O(1) without affinity and one Map operation with it.
 */
import type { Clock } from "../lib/clock.ts";

export interface BalancedEndpoint {
  readonly ip: string;
  readonly port: number;
}

export interface BalancerOptions {
  readonly clock: Clock;
  /** How many clients are remembered; beyond it the one longest unseen is forgotten. */
  readonly maxClients?: number;
}

interface Remembered<T> {
  readonly endpoint: T;
  readonly until: number;
}

export class Balancer<T extends BalancedEndpoint> {
  readonly #clock: Clock;
  readonly #maxClients: number;
  #endpoints: readonly T[] = [];
  #next = 0;
  #affinityMs: number | undefined;
  /** Client address → endpoint, longest unseen first. */
  readonly #clients = new Map<string, Remembered<T>>();

  constructor({ clock, maxClients = 65_536 }: BalancerOptions) {
    this.#clock = clock;
    this.#maxClients = maxClients;
  }

  get endpoints(): readonly T[] {
    return this.#endpoints;
  }

  /** Swaps the endpoints. Clients of one that stays keep it; those of one that left choose anew. `affinityMs` undefined: none. */
  update(endpoints: readonly T[], affinityMs: number | undefined): void {
    const kept = new Map(endpoints.map((endpoint) => [keyOf(endpoint), endpoint]));
    this.#endpoints = endpoints;
    this.#affinityMs = affinityMs;
    if (affinityMs === undefined) this.#clients.clear();
    for (const [client, { endpoint, until }] of this.#clients) {
      const same = kept.get(keyOf(endpoint));
      if (same === undefined) this.#clients.delete(client);
      else this.#clients.set(client, { endpoint: same, until });
    }
  }

  has(endpoint: BalancedEndpoint): boolean {
    return this.#endpoints.some((other) => other.ip === endpoint.ip && other.port === endpoint.port);
  }

  /** Undefined: there is none, or all are in `failed` (those that this connection has tried already). */
  pick(client: string, failed?: ReadonlySet<BalancedEndpoint>): T | undefined {
    if (this.#affinityMs === undefined) return this.#roundRobin(failed);
    const known = this.#clients.get(client);
    const keep = known !== undefined && known.until > this.#clock.monotonic() && failed?.has(known.endpoint) !== true;
    const endpoint = keep ? known.endpoint : this.#roundRobin(failed);
    if (endpoint !== undefined) this.#remember(client, endpoint, this.#affinityMs);
    return endpoint;
  }

  /** Each use starts the time-out again, as upstream's tables do. */
  #remember(client: string, endpoint: T, affinityMs: number): void {
    this.#clients.delete(client);
    this.#clients.set(client, { endpoint, until: this.#clock.monotonic() + affinityMs });
    if (this.#clients.size <= this.#maxClients) return;
    for (const oldest of this.#clients.keys()) {
      this.#clients.delete(oldest);
      return;
    }
  }

  #roundRobin(failed: ReadonlySet<BalancedEndpoint> | undefined): T | undefined {
    const count = this.#endpoints.length;
    for (let tried = 0; tried < count; tried++) {
      const endpoint = this.#endpoints[this.#next % count] as T;
      this.#next = (this.#next + 1) % count;
      if (failed?.has(endpoint) !== true) return endpoint;
    }
    return undefined;
  }
}

const keyOf = ({ ip, port }: BalancedEndpoint) => `${ip} ${port}`;
