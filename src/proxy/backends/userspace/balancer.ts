/**
 * Chooses an endpoint for a new connection: by the Service's algorithm, or the one that the client had before (session affinity by
 * address, as `sessionAffinity: ClientIP`). Holds no sockets. A pick by round robin is O(1), with affinity one Map operation more.
 */
import type { Algorithm } from "../../../decide/proxy/index.ts";
import type { Clock } from "../../../lib/clock.ts";
import { createChooser, keyOf, type Chooser, type ChosenEndpoint } from "./choosers.ts";

export interface BalancerOptions {
  readonly clock: Clock;
  /** In [0, 1). Default `Math.random`. */
  readonly random?: () => number;
  /** How many clients are remembered; beyond it the one longest unseen is forgotten. */
  readonly maxClients?: number;
}

interface Remembered<T> {
  readonly endpoint: T;
  readonly until: number;
}

export class Balancer<T extends ChosenEndpoint> {
  readonly #clock: Clock;
  readonly #maxClients: number;
  readonly #random: () => number;
  readonly #turn = { next: 0 };
  #endpoints: readonly T[] = [];
  #algorithm: Algorithm = "round-robin";
  #choose: Chooser<T> = () => undefined;
  /** Connections that are open to an endpoint, by `keyOf`; kept where the algorithm asks for it. */
  readonly #open = new Map<string, number>();
  #measure: ((endpoint: T) => number) | undefined;
  /** Connections and flows that went to each endpoint that there is, by `keyOf`. */
  readonly #carried = new Map<string, number>();
  #affinityMs: number | undefined;
  /** Client address → endpoint, longest unseen first. */
  readonly #clients = new Map<string, Remembered<T>>();

  constructor({ clock, random = Math.random, maxClients = 65_536 }: BalancerOptions) {
    this.#random = random;
    this.#clock = clock;
    this.#maxClients = maxClients;
  }

  get endpoints(): readonly T[] {
    return this.#endpoints;
  }

  /** Swaps the endpoints. Clients of one that stays keep it; those of one that left choose anew. `affinityMs` undefined: none. */
  update(endpoints: readonly T[], affinityMs: number | undefined, algorithm: Algorithm = "round-robin"): void {
    const kept = new Map(endpoints.map((endpoint) => [keyOf(endpoint), endpoint]));
    if (endpoints !== this.#endpoints || algorithm !== this.#algorithm) {
      const open = (endpoint: T) => this.#measure?.(endpoint) ?? this.#open.get(keyOf(endpoint)) ?? 0;
      this.#choose = createChooser(algorithm, endpoints, { random: this.#random, open, turn: this.#turn });
    }
    for (const key of this.#carried.keys()) if (!kept.has(key)) this.#carried.delete(key);
    this.#endpoints = endpoints;
    this.#algorithm = algorithm;
    this.#affinityMs = affinityMs;
    if (affinityMs === undefined) this.#clients.clear();
    for (const [client, { endpoint, until }] of this.#clients) {
      const same = kept.get(keyOf(endpoint));
      if (same === undefined) this.#clients.delete(client);
      else this.#clients.set(client, { endpoint: same, until });
    }
  }

  /** Who knows better than `began` how busy an endpoint is; undefined: nobody. */
  measureBy(measure: ((endpoint: T) => number) | undefined): void {
    this.#measure = measure;
  }

  has(endpoint: ChosenEndpoint): boolean {
    return this.#endpoints.some((other) => other.ip === endpoint.ip && other.port === endpoint.port);
  }

  /** Undefined: there is none, or all are in `failed` (those that this connection has tried already). */
  pick(client: string, failed?: ReadonlySet<ChosenEndpoint>): T | undefined {
    if (this.#affinityMs === undefined) return this.#choose(client, failed);
    const known = this.#clients.get(client);
    const keep = known !== undefined && known.until > this.#clock.monotonic() && failed?.has(known.endpoint) !== true;
    const endpoint = keep ? known.endpoint : this.#choose(client, failed);
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

  /** A connection or flow went to the endpoint. */
  count(endpoint: T): void {
    const key = keyOf(endpoint);
    this.#carried.set(key, (this.#carried.get(key) ?? 0) + 1);
  }

  carried(): readonly { readonly endpoint: T; readonly connections: number }[] {
    return this.#endpoints.flatMap((endpoint) => {
      const connections = this.#carried.get(keyOf(endpoint));
      return connections === undefined ? [] : [{ endpoint, connections }];
    });
  }

  /** A connection to the endpoint has begun; call what it gives when it is over. */
  began(endpoint: T): () => void {
    if (this.#algorithm !== "least-connections") return nothing;
    const key = keyOf(endpoint);
    this.#open.set(key, (this.#open.get(key) ?? 0) + 1);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      const left = (this.#open.get(key) ?? 1) - 1;
      if (left === 0) this.#open.delete(key);
      else this.#open.set(key, left);
    };
  }
}

function nothing(): void {
  // Nobody counts.
}
