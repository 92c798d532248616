/**
 * Whether the proxy keeps up: it is ill when a change has waited longer than twice the sync period (upstream
 * pkg/proxy/healthcheck/proxy_health.go). Pure but for the clock.
 */
import type { Clock } from "../../lib/clock.ts";
import type { IpFamily } from "../../lib/ip.ts";

export interface ProxyHealthOptions {
  readonly clock: Clock;
  /** A change that waits longer makes the proxy ill. */
  readonly timeoutMs: number;
  readonly families?: readonly IpFamily[];
}

/** As `/healthz` prints it; times are RFC 3339. */
export interface HealthReport {
  readonly lastUpdated: string;
  readonly currentTime: string;
  /** False: the node is being taken away, and a load balancer should send nowhere else. Only in `/healthz`. */
  readonly nodeEligible?: boolean;
  readonly healthy: boolean;
  readonly status: Readonly<Partial<Record<"IPv4" | "IPv6", { readonly lastUpdated: string; readonly healthy: boolean }>>>;
}

/** Go's zero time: never yet. */
const never = "0001-01-01T00:00:00Z";

export class ProxyHealth {
  readonly #options: Required<ProxyHealthOptions>;
  #lastUpdated: number | undefined;
  #waitingSince: number | undefined;

  constructor(options: ProxyHealthOptions) {
    this.#options = { families: [4, 6], ...options };
  }

  /** A change was seen that is not in the rules yet. */
  queued(): void {
    this.#waitingSince ??= this.#options.clock.now();
  }

  /** Everything seen is in the rules. */
  updated(): void {
    this.#waitingSince = undefined;
    this.#lastUpdated = this.#options.clock.now();
  }

  /** Before the first sync it is healthy, as upstream: it is starting. */
  get healthy(): boolean {
    const { clock, timeoutMs } = this.#options;
    return this.#lastUpdated === undefined || this.#waitingSince === undefined || clock.now() - this.#waitingSince < timeoutMs;
  }

  /** `nodeEligible`: for `/healthz`; undefined: for `/livez`. */
  report(nodeEligible?: boolean): HealthReport {
    const { clock, families } = this.#options;
    const { healthy } = this;
    const currentTime = new Date(clock.now()).toISOString();
    const last = this.#lastUpdated === undefined ? never : new Date(this.#lastUpdated).toISOString();
    const status =
      this.#lastUpdated === undefined ? [] : families.map((family) => [`IPv${family}`, { lastUpdated: last, healthy }] as const);
    return {
      // "Recent" where all is well, whether or not there was anything to do.
      lastUpdated: healthy && nodeEligible !== false ? currentTime : last,
      currentTime,
      ...(nodeEligible === undefined ? {} : { nodeEligible }),
      healthy,
      status: Object.fromEntries(status),
    };
  }
}
