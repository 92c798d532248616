/** Which of a backend's endpoints the next request goes to, by its policy. */
import { fillTemplate, type BalancePolicy, type TemplateRequest } from "../../decide/routes/index.ts";

/** What is known of an endpoint's load. */
export interface Balanced {
  /** Requests under way. */
  readonly active: number;
  readonly id: string;
  readonly latency: PeakAverage;
}

/** Of a connection whose bytes nobody reads. */
export function connectionAsking(address: string): TemplateRequest {
  return { client: { address, scheme: "http" }, authority: "", path: "", query: "", method: "", header: () => undefined };
}

export interface Turn {
  next: number;
}

/** `endpoints`: at least one. `turn`: the backend's own. `random`: in [0, 1). `now`: milliseconds, monotonic. */
export function pick<T extends Balanced>(
  policy: BalancePolicy | undefined,
  endpoints: readonly T[],
  turn: Turn,
  { request, random, now }: { readonly request: TemplateRequest; readonly random: () => number; readonly now: () => number },
): T {
  switch (policy?.kind) {
    case undefined: {
      const first = inTurn(endpoints, turn);
      const second = endpoints[turn.next % endpoints.length] as T;
      return second.active < first.active ? second : first;
    }
    case "round-robin":
      return inTurn(endpoints, turn);
    case "least-requests":
      return better(endpoints, random, ({ active }) => active);
    case "ewma": {
      const at = now();
      return better(endpoints, random, ({ active, latency }) => latency.cost(at) * (active + 1));
    }
    case "hash":
      return highest(endpoints, hashOf(fillTemplate(policy.by, request)));
  }
}

function inTurn<T>(endpoints: readonly T[], turn: Turn): T {
  const chosen = endpoints[turn.next % endpoints.length] as T;
  turn.next = (turn.next + 1) % 0x4000_0000;
  return chosen;
}

function better<T>(endpoints: readonly T[], random: () => number, cost: (endpoint: T) => number): T {
  const first = Math.floor(random() * endpoints.length);
  // Another one, any of them alike.
  const second = (first + 1 + Math.floor(random() * (endpoints.length - 1))) % endpoints.length;
  const [a, b] = [endpoints[first] as T, endpoints[second] as T];
  return cost(b) < cost(a) ? b : a;
}

/** Rendezvous hashing (Thaler, Ravishankar 1998): each endpoint has a score for the key, and the highest one takes it. */
function highest<T extends Balanced>(endpoints: readonly T[], key: number): T {
  let [best, bestScore] = [endpoints[0] as T, -1];
  for (const endpoint of endpoints) {
    const score = mix(key ^ seedOf(endpoint));
    if (score > bestScore) [best, bestScore] = [endpoint, score];
  }
  return best;
}

const seeds = new WeakMap<Balanced, number>();

function seedOf(endpoint: Balanced): number {
  let seed = seeds.get(endpoint);
  if (seed === undefined) seeds.set(endpoint, (seed = hashOf(endpoint.id)));
  return seed;
}

/** FNV-1a, 32 bits. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/** The finalizer of MurmurHash3: every bit of the input moves every bit of the result. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** In milliseconds: how long a past answer counts. */
const decayMs = 10_000;

/**
 * How long answers take: a slow one counts at once, quick ones only as time goes by; without any the memory of a slow one fades, so
 * that it is tried again.
 */
export class PeakAverage {
  #cost = 0;
  #at = 0;

  /** `tookMs`: from the request to the answer's head. */
  observe(tookMs: number, now: number): void {
    const before = this.cost(now);
    const weight = Math.exp(-(now - this.#at) / decayMs);
    this.#cost = tookMs > before ? tookMs : this.#cost * weight + tookMs * (1 - weight);
    this.#at = now;
  }

  cost(now: number): number {
    return this.#cost === 0 ? 0 : this.#cost * Math.exp(-(now - this.#at) / decayMs);
  }
}
