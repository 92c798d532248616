/** Requests of a Service port, each to an endpoint of its own: one pool for each set of endpoints, opened by the first connection. */
import { spokenHttp, type PlanEndpoint, type PortPlan } from "../../../decide/proxy/index.ts";
import type { Clock } from "../../../lib/clock.ts";
import type { HttpPool, HttpPoolOptions, OpenHttpPool } from "../../http-pool.ts";
import type { ProxyMetrics } from "../../metrics.ts";
import type { Transport } from "../../transport.ts";
import type { Balancer } from "./balancer.ts";
import { keyOf } from "./choosers.ts";

export interface RequestsContext {
  readonly clock: Clock;
  readonly metrics: ProxyMetrics;
  readonly transport: Transport;
  readonly openHttpPool?: OpenHttpPool | undefined;
}

type Speaks = "http1" | "h2c";

/** In which protocol requests of the port are balanced; undefined: nobody asks for that, or it cannot be. */
export function balancedHttp({ protocol, traffic, appProtocol }: PortPlan): Speaks | undefined {
  return protocol === "TCP" && traffic?.perRequest === true ? spokenHttp(appProtocol) : undefined;
}

export class RequestPools {
  readonly #context: RequestsContext;
  readonly #pools = new Map<Balancer<PlanEndpoint>, HttpPool>();
  #speaks: Speaks | undefined;

  constructor(context: RequestsContext) {
    this.#context = context;
  }

  /** After the balancers have the plan's endpoints. */
  update(plan: PortPlan): void {
    const speaks = this.#context.openHttpPool === undefined ? undefined : balancedHttp(plan);
    if (speaks !== this.#speaks) void this.drain();
    this.#speaks = speaks;
    for (const [balancer, pool] of this.#pools) pool.update(balancer.endpoints);
  }

  /** Undefined: connections are carried as they are. */
  open(plan: PortPlan, balancer: Balancer<PlanEndpoint>): HttpPool | undefined {
    const { openHttpPool } = this.#context;
    if (this.#speaks === undefined || openHttpPool === undefined) return undefined;
    const known = this.#pools.get(balancer);
    if (known !== undefined) return known;
    const pool = openHttpPool(poolOptions(plan, this.#speaks, balancer, this.#context));
    pool.update(balancer.endpoints);
    this.#pools.set(balancer, pool);
    return pool;
  }

  /** The next connection opens others. */
  async drain(): Promise<void> {
    const pools = [...this.#pools];
    this.#pools.clear();
    for (const [balancer] of pools) balancer.measureBy(undefined);
    await Promise.all(pools.map(([, pool]) => pool.drain()));
  }

  async stop(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.stop()));
  }
}

function poolOptions(
  { servicePort: { namespace, name }, port }: PortPlan,
  speaks: Speaks,
  balancer: Balancer<PlanEndpoint>,
  { clock, metrics, transport }: RequestsContext,
): HttpPoolOptions {
  let underWay: Parameters<HttpPoolOptions["choose"]>[1] = new Map();
  balancer.measureBy((endpoint) => underWay.get(keyOf(endpoint))?.active ?? 0);
  return {
    namespace,
    name,
    port,
    speaks,
    clock,
    soon: transport.soon,
    choose(client, usable) {
      underWay = usable;
      const endpoint = balancer.pick(client, unusable(balancer.endpoints, usable));
      if (endpoint === undefined) return undefined;
      balancer.count(endpoint);
      return keyOf(endpoint);
    },
    connect: (endpoint, timeoutMs) =>
      new Promise((resolve, reject) => {
        // The connection is many clients', so it comes from the node; who asks is in X-Forwarded-For.
        transport.connect({ endpoint, client: "", masquerade: true }, timeoutMs, (result) => {
          if (!("failed" in result)) return resolve(result);
          metrics.retries.inc();
          reject(Object.assign(new Error(result.failed), { code: result.failed }));
        });
      }),
  };
}

function unusable(endpoints: readonly PlanEndpoint[], usable: ReadonlyMap<string, unknown>): ReadonlySet<PlanEndpoint> | undefined {
  if (usable.size === endpoints.length) return undefined;
  return new Set(endpoints.filter((endpoint) => !usable.has(keyOf(endpoint))));
}
