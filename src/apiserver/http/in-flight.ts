/** Counts requests under way, in two lanes as upstream has them, and lets each client have its share (apiserver `pkg/server/filters`). */
import type { UserInfo } from "../../api/request.ts";
import type { Clock } from "../../lib/clock.ts";
import type { MetricsRegistry } from "../../lib/metrics.ts";
import { anonymous } from "../auth/authenticate.ts";
import { isHealthPath } from "../health.ts";
import { FairQueue, type Leave } from "./fair-queue.ts";
import type { RequestLimits } from "./limits.ts";
import type { RequestHead } from "./read-request.ts";

export interface Arrival {
  readonly head: Pick<RequestHead, "method" | "path">;
  readonly user: UserInfo;
  /** The client's address: strangers have no name. */
  readonly address: string | undefined;
  /** The client hung up while its request waited. */
  readonly isGone: () => boolean;
}

type Limits = Pick<RequestLimits, "inFlight" | "mutatingInFlight" | "waiting" | "patience">;

export class InFlight {
  readonly #reading: FairQueue;
  readonly #mutating: FairQueue;

  constructor(limits: Limits, metrics: MetricsRegistry, clock: Pick<Clock, "after">) {
    const taken = metrics.gauge("apiserver_current_inflight_requests", "Requests under way, watches and logs aside.", ["request_kind"]);
    const waiting = metrics.gauge("apiserver_current_inqueue_requests", "Requests that wait for their turn.", ["request_kind"]);
    const refused = metrics.counter("apiserver_flowcontrol_rejected_requests_total", "Requests refused with 429.", [
      "request_kind",
      "reason",
    ]);
    const lane = (kind: string, seats: number) => {
      const [inside, outside] = [taken.labels(kind), waiting.labels(kind)];
      return new FairQueue({
        seats,
        waiting: limits.waiting,
        patience: limits.patience,
        clock,
        observe: (now, queued) => {
          inside.set(now);
          outside.set(queued);
        },
        refused: (reason) => refused.labels(kind, reason).inc(),
      });
    };
    this.#reading = lane("readOnly", limits.inFlight);
    this.#mutating = lane("mutating", limits.mutatingInFlight);
  }

  /** Health is always answered: a busy server is no dead one. Throws 429, now or by the promise. */
  enter({ head, user, address, isGone }: Arrival): Leave | Promise<Leave> {
    const { method, path } = head;
    if (isHealthPath(path)) return noSeat;
    const reads = method === "GET" || method === "HEAD" || method === "OPTIONS";
    const client = user.name === anonymous.name ? `${user.name} ${address ?? ""}` : user.name;
    return (reads ? this.#reading : this.#mutating).enter(client, isGone);
  }
}

const noSeat: Leave = () => undefined;
