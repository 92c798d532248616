/** Writes into each Ingress where it is served (`status.loadBalancer`), and takes that away again where it no longer is. */
import type { Ingress, IngressLoadBalancerIngress } from "../api/types.ts";
import { splitKey } from "../api/object.ts";
import { ingresses } from "../api/resources.ts";
import { isNotFound } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import { createWorkQueue, type WorkQueue } from "../client/workqueue.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";

export interface StatusWriterOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly ingress: (key: string) => Ingress | undefined;
  /** Whether it is ours to serve. */
  readonly served: (key: string) => boolean;
  readonly addresses: () => readonly IngressLoadBalancerIngress[];
}

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #queue: WorkQueue;
  #work: Promise<void> = Promise.resolve();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#queue = createWorkQueue({ name: "gateway-status", clock: options.clock, log: options.log });
  }

  start(): void {
    this.#work = this.#queue.run(2, (key) => this.#write(key));
  }

  add(key: string): void {
    this.#queue.add(key);
  }

  async stop(): Promise<void> {
    this.#queue.shutDown();
    await this.#work;
  }

  async #write(key: string): Promise<void> {
    const { client, ingress, served, addresses } = this.#options;
    const object = ingress(key);
    if (object === undefined) return;
    const wanted = wantedStatus(object, served(key), addresses());
    if (wanted === undefined) return;
    const { namespace, name } = splitKey(key);
    try {
      const patch = { status: { loadBalancer: { ingress: wanted } } };
      await client.patch(ingresses, { namespace, name }, "application/merge-patch+json", patch, { subresource: "status" });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

/** Undefined: nothing to write. Another controller's address is never taken away. */
export function wantedStatus(
  { status }: Ingress,
  served: boolean,
  addresses: readonly IngressLoadBalancerIngress[],
): readonly IngressLoadBalancerIngress[] | null | undefined {
  const actual = JSON.stringify(status?.loadBalancer?.ingress ?? []);
  const ours = JSON.stringify(addresses);
  if (served) return actual === ours ? undefined : addresses;
  return addresses.length > 0 && actual === ours ? null : undefined;
}
