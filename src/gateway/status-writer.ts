/** Writes into each Ingress where it is served (`status.loadBalancer`), and takes that away again where it no longer is. */
import type { Ingress, IngressLoadBalancerIngress } from "../api/types.ts";
import { splitKey } from "../api/object.ts";
import { ingresses } from "../api/resources.ts";
import { isNotFound } from "../api/status.ts";
import type { Client } from "../client/client.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import { KeyQueue } from "./key-queue.ts";

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
  readonly keys: KeyQueue;
  /** Ingress → for which state of it was written what. */
  readonly #written = new Map<string, string>();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.keys = new KeyQueue({ ...options, name: "gateway-status", workers: 2, write: (key) => this.#write(key) });
  }

  async #write(key: string): Promise<void> {
    const { client, ingress, served, addresses } = this.#options;
    const object = ingress(key);
    if (object === undefined) return void this.#written.delete(key);
    const wanted = wantedStatus(object, served(key), addresses());
    if (wanted === undefined || this.#isOverwritten(key, object, wanted)) return;
    const { namespace, name } = splitKey(key);
    this.#written.set(key, stateOf(object, wanted));
    try {
      const patch = { status: { loadBalancer: { ingress: wanted } } };
      await client.patch(ingresses, { namespace, name }, "application/merge-patch+json", patch, { subresource: "status" });
    } catch (error) {
      this.#written.delete(key);
      if (!isNotFound(error)) throw error;
    }
  }

  /** We wrote this already, and it is not there any more: somebody else serves the Ingress too. Two that insist would never end. */
  #isOverwritten(key: string, object: Ingress, wanted: Wanted): boolean {
    if (this.#written.get(key) !== stateOf(object, wanted)) return false;
    // Empty: only the watch is behind.
    const foreign = (object.status?.loadBalancer?.ingress ?? []).length > 0;
    if (foreign) this.#options.log.warn("another controller writes the status of this Ingress too; it is left as it is", { ingress: key });
    return true;
  }
}

type Wanted = readonly IngressLoadBalancerIngress[] | null;

/** Changes when the object is another, or its spec is. */
function stateOf({ metadata }: Ingress, wanted: Wanted): string {
  return `${metadata.uid ?? ""} ${metadata.generation ?? 0} ${JSON.stringify(wanted)}`;
}

/** Undefined: nothing to write. Another controller's address is never taken away. */
export function wantedStatus({ status }: Ingress, served: boolean, addresses: readonly IngressLoadBalancerIngress[]): Wanted | undefined {
  const actual = JSON.stringify(status?.loadBalancer?.ingress ?? []);
  const ours = JSON.stringify(addresses);
  if (served) return actual === ours ? undefined : addresses;
  return addresses.length > 0 && actual === ours ? null : undefined;
}
