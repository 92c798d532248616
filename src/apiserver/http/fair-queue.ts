/**
 * Seats for requests, shared fairly among clients: a free seat goes to whoever has the fewest, of those the one who has waited longest. No
 * client ever has more than three quarters of the seats, since what is under way cannot be taken back; the rest is there for others at
 * once. The idea, and the limits, are those of upstream's API Priority and Fairness (KEP-1040), with one priority level.
 */
import { tooManyRequestsError } from "../../api/status.ts";
import type { Clock } from "../../lib/clock.ts";

export interface FairQueueOptions {
  readonly seats: number;
  /** Requests of one client that may wait. */
  readonly waiting: number;
  /** Milliseconds that a request may wait. */
  readonly patience: number;
  readonly clock: Pick<Clock, "after">;
  /** Told of each change: seats taken, requests that wait. */
  readonly observe: (taken: number, waiting: number) => void;
  /** Told of each refusal. */
  readonly refused: (reason: "queue-full" | "time-out") => void;
}

/** The way out; it may be taken more than once. */
export type Leave = () => void;

interface Waiter {
  readonly since: number;
  readonly enter: (leave: Leave) => void;
  readonly isGone: () => boolean;
}

interface Flow {
  taken: number;
  readonly waiters: Set<Waiter>;
}

export class FairQueue {
  readonly #options: FairQueueOptions;
  readonly #share: number;
  /** Clients that have a seat or wait for one. */
  readonly #flows = new Map<string, Flow>();
  #taken = 0;
  #waiting = 0;
  #arrivals = 0;

  constructor(options: FairQueueOptions) {
    this.#options = options;
    this.#share = Math.max(1, Math.ceil(options.seats * 0.75));
  }

  /** At once where there is a seat; else when there is one. Throws 429, at once or, by the promise, when it took too long. */
  enter(client: string, isGone: () => boolean): Leave | Promise<Leave> {
    const flow = this.#flow(client);
    if (this.#taken < this.#options.seats && flow.taken < this.#share && flow.waiters.size === 0) return this.#sit(client, flow);
    if (flow.waiters.size >= this.#options.waiting) {
      this.#options.refused("queue-full");
      throw tooMany();
    }
    return this.#wait(client, flow, isGone);
  }

  #flow(client: string): Flow {
    let flow = this.#flows.get(client);
    if (flow === undefined) this.#flows.set(client, (flow = { taken: 0, waiters: new Set() }));
    return flow;
  }

  #sit(client: string, flow: Flow): Leave {
    flow.taken += 1;
    this.#taken += 1;
    this.#changed();
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      flow.taken -= 1;
      this.#taken -= 1;
      this.#forget(client, flow);
      this.#next();
      this.#changed();
    };
  }

  #wait(client: string, flow: Flow, isGone: () => boolean): Promise<Leave> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        since: this.#arrivals++,
        isGone,
        enter: (leave) => {
          timer.cancel();
          resolve(leave);
        },
      };
      const timer = this.#options.clock.after(this.#options.patience, () => {
        this.#remove(client, flow, waiter);
        this.#options.refused("time-out");
        reject(tooMany());
      });
      flow.waiters.add(waiter);
      this.#waiting += 1;
      this.#changed();
    });
  }

  #remove(client: string, flow: Flow, waiter: Waiter): void {
    flow.waiters.delete(waiter);
    this.#waiting -= 1;
    this.#forget(client, flow);
    this.#changed();
  }

  #forget(client: string, flow: Flow): void {
    if (flow.taken === 0 && flow.waiters.size === 0 && this.#flows.get(client) === flow) this.#flows.delete(client);
  }

  /** Gives the free seats away. Cost: the number of clients, and only while somebody waits. */
  #next(): void {
    while (this.#waiting > 0 && this.#taken < this.#options.seats) {
      const chosen = this.#chosen();
      if (chosen === undefined) return;
      const [client, flow, waiter] = chosen;
      this.#remove(client, flow, waiter);
      const leave = this.#sit(client, this.#flow(client));
      waiter.enter(leave);
      // Whoever hung up takes nobody's seat.
      if (waiter.isGone()) leave();
    }
  }

  #chosen(): readonly [string, Flow, Waiter] | undefined {
    let best: readonly [string, Flow, Waiter] | undefined;
    for (const [client, flow] of this.#flows) {
      const [first] = flow.waiters;
      if (first === undefined || flow.taken >= this.#share) continue;
      if (best === undefined || flow.taken < best[1].taken || (flow.taken === best[1].taken && first.since < best[2].since))
        best = [client, flow, first];
    }
    return best;
  }

  #changed(): void {
    this.#options.observe(this.#taken, this.#waiting);
  }
}

const tooMany = () => tooManyRequestsError("too many requests, please try again later", 1);
