/**
 * The servers behind `healthCheckNodePort`: a load balancer asks each node whether an endpoint of the Service is there, and sends
 * only where one is (KEP-27; upstream pkg/proxy/healthcheck/service_health.go, whose answer this is to the byte).
 */
import type { Service } from "../../api/types.ts";
import type { EventRecorder } from "../../client/event-recorder.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { serve, type Answer, type OpenServer, type Place } from "./http.ts";

export interface HealthCheck {
  readonly port: number;
  readonly localEndpoints: number;
}

export interface ServiceHealthOptions {
  /** Where to listen for a port: every address of the node that takes NodePorts, or all at once. */
  readonly places: (port: number) => Promise<readonly Place[]>;
  /** Of the proxy itself: who does not keep up gets no traffic. */
  readonly healthy: () => boolean;
  readonly log: Logger;
  readonly recorder?: EventRecorder | undefined;
  readonly nodeName: string;
}

interface Instance {
  readonly port: number;
  localEndpoints: number;
  readonly servers: readonly OpenServer[];
}

export class ServiceHealthServers {
  readonly #options: ServiceHealthOptions;
  readonly #instances = new Map<string, Instance>();
  /** One change at a time, so that a port is free before another Service opens it. */
  #queue: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: ServiceHealthOptions) {
    this.#options = options;
  }

  /** `check` undefined: the Service has no such port, or is gone. Told by an Event where the port cannot be had. */
  set(key: string, check: HealthCheck | undefined, service: Service | undefined): void {
    const present = this.#instances.get(key);
    if (present !== undefined && present.port === check?.port) {
      present.localEndpoints = check.localEndpoints;
      return;
    }
    if (present === undefined && check === undefined) return;
    this.#queue = this.#queue.then(() => this.#replace(key, check, service));
  }

  /** Resolves when every port asked for so far is open, or known not to be. */
  settled(): Promise<void> {
    return this.#queue;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#queue;
    for (const key of [...this.#instances.keys()]) await this.#close(key);
  }

  async #replace(key: string, check: HealthCheck | undefined, service: Service | undefined): Promise<void> {
    const present = this.#instances.get(key);
    if (present !== undefined && present.port === check?.port) return void (present.localEndpoints = check.localEndpoints);
    await this.#close(key);
    if (check === undefined || this.#stopped) return;
    try {
      this.#instances.set(key, { ...check, servers: await this.#open(key, check.port) });
    } catch (error) {
      this.#tell(key, check.port, error, service);
    }
  }

  async #close(key: string): Promise<void> {
    const instance = this.#instances.get(key);
    this.#instances.delete(key);
    for (const server of instance?.servers ?? []) await server.close();
  }

  /** At all places or at none. */
  async #open(key: string, port: number): Promise<readonly OpenServer[]> {
    const servers: OpenServer[] = [];
    try {
      // Whatever the path: load balancers ask for any (GCE for /).
      for (const place of await this.#options.places(port)) servers.push(await serve(place, () => this.#answer(key)));
      return servers;
    } catch (error) {
      for (const server of servers) await server.close();
      throw error;
    }
  }

  #answer(key: string): Answer {
    const healthy = this.#options.healthy();
    return healthAnswer(key, this.#instances.get(key)?.localEndpoints ?? 0, healthy);
  }

  #tell(key: string, port: number, error: unknown, service: Service | undefined): void {
    const { log, recorder, nodeName } = this.#options;
    const message = `node ${nodeName} failed to start healthcheck ${JSON.stringify(key)} on port ${port}: ${errorMessage(error)}`;
    log.error(message);
    if (service !== undefined) recorder?.event(service, "Warning", "FailedToStartServiceHealthcheck", message);
  }
}

/** `key`: `namespace/name`. 200 where an endpoint is here and the proxy keeps up, else 503. */
export function healthAnswer(key: string, localEndpoints: number, serviceProxyHealthy: boolean): Answer {
  const [namespace = "", name = ""] = key.split("/");
  const body = `{
	"service": {
		"namespace": ${JSON.stringify(namespace)},
		"name": ${JSON.stringify(name)}
	},
	"localEndpoints": ${localEndpoints},
	"serviceProxyHealthy": ${serviceProxyHealthy}
}`;
  return {
    status: localEndpoints > 0 && serviceProxyHealthy ? 200 : 503,
    type: "application/json",
    headers: { "x-load-balancing-endpoint-weight": String(localEndpoints) },
    body,
  };
}
