/** The cluster's Gateway API controller, loaded when its definitions are installed: before, a cluster has none of it in memory. */
import type { Socket } from "node:net";
import { customResourceDefinitions } from "../api/resources.ts";
import type { Client } from "../client/client.ts";
import { createEventRecorder } from "../client/event-recorder-impl.ts";
import type { InformerFactory } from "../client/informer.ts";
import { isReady, type Component, type Readiness } from "../component/component.ts";
import type { GatewayController } from "../gateway/control/controller.ts";
import type { Clock } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";
import type { UdpTarget } from "../net/udp-relay.ts";

export interface ClusterGatewayApiOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  /** From which Gateways have their addresses. */
  readonly cidr: string;
  /** Reaches an endpoint. Default: from this host's network. */
  readonly connect?: (ip: string, port: number, timeoutMs: number) => Promise<Socket>;
  /** Of the data plane. */
  readonly threads: number;
  /** How datagrams reach an endpoint. Default: from this host's network. */
  readonly udpTarget?: (endpoint: { readonly ip: string; readonly port: number }) => UdpTarget;
}

export interface ClusterGatewayApi extends Component {
  /** Every change seen so far is live. */
  settled(): Promise<void>;
}

export function createClusterGatewayApi(options: ClusterGatewayApiOptions): ClusterGatewayApi {
  return new LazyController(options);
}

class LazyController implements ClusterGatewayApi {
  readonly name = "gateway-api";
  readonly #options: ClusterGatewayApiOptions;
  #stopWatching = () => {};
  #starting: Promise<void> | undefined;
  #controller: GatewayController | undefined;
  #failure: string | undefined;
  #stopped = false;

  constructor(options: ClusterGatewayApiOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#stopWatching = this.#options.informers.informer(customResourceDefinitions).addHandlers({
      added: ({ spec }) => {
        if (spec.group === "gateway.networking.k8s.io") this.#starting ??= this.#open();
      },
    });
  }

  async #open(): Promise<void> {
    const { client, informers, clock, log, metrics, cidr, connect, udpTarget, threads } = this.#options;
    try {
      const { createGatewayController } = await import("../gateway/control/controller.ts");
      if (this.#stopped) return;
      this.#controller = createGatewayController({
        client,
        informers,
        clock,
        log,
        metrics,
        addresses: { cidr },
        defaultClass: "fairlead",
        recorder: createEventRecorder(client, "fairlead-gateway", { clock, log }),
        ...(connect === undefined ? {} : { connect: ({ ip, port }, timeoutMs) => connect(ip, port, timeoutMs) }),
        threads,
        ...(udpTarget === undefined ? {} : { udpTarget }),
      });
      await this.#controller.start();
    } catch (error) {
      this.#failure = errorMessage(error);
      log.error("Gateways are not served", { error: this.#failure });
    }
  }

  async settled(): Promise<void> {
    await this.#starting;
    await this.#controller?.settled();
  }

  ready(): Readiness {
    return this.#failure === undefined ? isReady : { ready: false, reason: this.#failure };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopWatching();
    await this.#starting;
    await this.#controller?.stop();
  }
}
