/** What a gateway is made of, and what it says of itself. */
import type { IngressLoadBalancerIngress } from "../api/types.ts";
import type { Client } from "../client/client.ts";
import type { EventRecorder } from "../client/event-recorder.ts";
import type { InformerFactory } from "../client/informer.ts";
import type { Component } from "../component/component.ts";
import type { ClassPolicy, ObjectStatus, RouteExplanation, RouteRequest, RouteTable } from "../decide/routes/index.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";
import type { EngineLimits, EngineStats } from "./engine/engine.ts";
import type { Reach } from "./engine/create-engine.ts";
import type { Connect } from "./engine/upstream.ts";
import type { Observers } from "./observers.ts";
import type { GatewayAddress, ListenPlan } from "./ports.ts";

export interface GatewayOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  /** Component `fairlead-gateway`; absent: nothing is told by Events. */
  readonly recorder?: EventRecorder;
  /** Reaches endpoints. Default: a plain connection of this process. */
  readonly connect?: Connect;
  /** `connect` for threads; absent: there are none where `connect` is given. */
  readonly reach?: Reach;
  /** Of the data plane, which then has nothing to do with this one. Default 0: it is in this one, as it is where there is no FFI. */
  readonly threads?: number;
  /** Default: 127.0.0.1, ports 80 and 443, or stand-ins. */
  readonly listen?: readonly ListenPlan[];
  /** Which Ingresses are served. Default: our class, classes `nginx` and `traefik` that nobody else has, and those without a class. */
  readonly classes?: Partial<ClassPolicy>;
  /** What is written into `status.loadBalancer`. Default: the listeners' address and ports. */
  readonly statusAddresses?: readonly IngressLoadBalancerIngress[];
  /** Where the local CA is kept; absent: it lives in memory and is another after each start. */
  readonly authorityDirectory?: string;
  readonly limits?: Partial<EngineLimits>;
  /** Where the gateway is (`topology.kubernetes.io/zone`): endpoints with hints for it go first. Default: nowhere in particular. */
  readonly zone?: string;
  /** Who is told of every request. Default: the metrics only. */
  readonly observers?: Observers;
  /** In [0, 1). Default: Math.random. */
  readonly random?: () => number;
}

export interface GatewayStatus extends EngineStats {
  readonly addresses: readonly GatewayAddress[];
  /** Of every Ingress. */
  readonly ingresses: readonly ObjectStatus[];
  /** The local CA's certificate, to be trusted by whoever wants that. */
  readonly authority: { readonly cert: string; readonly path: string | undefined };
}

export interface Gateway extends Component {
  /** Empty before `start` has resolved. */
  readonly addresses: readonly GatewayAddress[];
  status(): GatewayStatus;
  /** The table that is served now. */
  routeTable(): RouteTable;
  /** What would become of a request; `listener`: `http` or `https`. */
  explain(listener: string, request: RouteRequest): RouteExplanation;
  /** Resolves when every change seen so far is live. */
  settled(): Promise<void>;
}
