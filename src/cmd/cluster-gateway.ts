/**
 * The cluster's gateway, which comes into being with the first Ingress: a cluster without one opens no ports for it and loads none of it.
 */
import type { Socket } from "node:net";
import { ingresses } from "../api/resources.ts";
import type { Client } from "../client/client.ts";
import type { EventRecorder } from "../client/event-recorder.ts";
import type { InformerFactory } from "../client/informer.ts";
import { isReady, type Component, type Readiness } from "../component/component.ts";
import type { Gateway } from "../gateway/gateway.ts";
import type { Clock } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";
import type { ReachedEndpoint } from "./network/network.ts";

export interface ClusterGatewayOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  /** Where the local CA is kept; absent: in memory. */
  readonly authorityDirectory?: string;
  /** Reaches an endpoint. Default: from this host's network. */
  readonly connect?: (ip: string, port: number, timeoutMs: number) => Promise<Socket>;
  /** The same for a thread of its own. */
  readonly reach?: (ip: string, port: number) => Promise<ReachedEndpoint>;
  /** Of the data plane. */
  readonly threads: number;
  /** Any ports, instead of 80 and 443 or their stand-ins. */
  readonly anyPort: boolean;
}

export interface ClusterGateway extends Component {
  /** Undefined until there is an Ingress. */
  readonly gateway: Gateway | undefined;
  /** Every Ingress seen so far is served. */
  settled(): Promise<void>;
}

export function createClusterGateway(options: ClusterGatewayOptions): ClusterGateway {
  return new LazyGateway(options);
}

class LazyGateway implements ClusterGateway {
  readonly name = "gateway";
  readonly #options: ClusterGatewayOptions;
  #stopWatching = () => {};
  #starting: Promise<void> | undefined;
  #gateway: Gateway | undefined;
  #failure: string | undefined;
  #stopped = false;

  constructor(options: ClusterGatewayOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#stopWatching = this.#options.informers.informer(ingresses).addHandlers({ added: () => void (this.#starting ??= this.#open()) });
  }

  async #open(): Promise<void> {
    const { client, informers, recorder, clock, log, metrics, authorityDirectory, connect, reach, threads, anyPort } = this.#options;
    try {
      const { createGateway } = await import("../gateway/gateway.ts");
      const gateway = createGateway({
        client,
        informers,
        recorder,
        clock,
        log,
        metrics,
        ...(authorityDirectory === undefined ? {} : { authorityDirectory }),
        ...(connect === undefined ? {} : { connect: ({ ip, port }, timeoutMs) => connect(ip, port, timeoutMs) }),
        ...(reach === undefined ? {} : { reach: ({ ip, port }) => reach(ip, port) }),
        threads,
        ...(anyPort ? { listen: anyPorts } : {}),
      });
      if (this.#stopped) return;
      await gateway.start();
      this.#gateway = gateway;
      // The gateway asks for kinds that nobody has followed before: their informers begin now.
      informers.start();
      await informers.waitForSync();
    } catch (error) {
      this.#failure = errorMessage(error);
      log.error("Ingresses are not served", { error: this.#failure });
    }
  }

  get gateway(): Gateway | undefined {
    return this.#gateway;
  }

  async settled(): Promise<void> {
    await this.#starting;
    await this.#gateway?.settled();
  }

  ready(): Readiness {
    if (this.#failure !== undefined) return { ready: false, reason: this.#failure };
    return this.#gateway?.ready() ?? isReady;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopWatching();
    await this.#starting;
    await this.#gateway?.stop();
  }
}

const anyPorts = [
  { name: "http", protocol: "HTTP", host: "127.0.0.1", ports: [0] },
  { name: "https", protocol: "HTTPS", host: "127.0.0.1", ports: [0] },
] as const;
