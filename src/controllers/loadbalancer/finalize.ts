/** Writes a Service's load balancer status and finalizer. Each write is seen by the next decision at once (`own`). */
import { services } from "../../api/resources.ts";
import { isNotFound } from "../../api/status.ts";
import type { LoadBalancerIngress, Service } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import type { OwnWrites } from "../own-writes.ts";
import { withFinalizer, withIngress, withoutFinalizer } from "./reconcile.ts";

export interface ServiceWriter {
  readonly client: Client;
  readonly own: OwnWrites<Service>;
}

/** Before the load balancer is made: afterwards it could be forgotten. */
export async function addFinalizer({ client, own }: ServiceWriter, service: Service): Promise<Service> {
  const written = await client.update(services, withFinalizer(service));
  own.wrote(written);
  return written;
}

/** After the load balancer is gone. The last finalizer of a deleted Service takes the Service with it. */
export async function removeFinalizer({ client, own }: ServiceWriter, service: Service): Promise<void> {
  try {
    const written = await client.update(services, withoutFinalizer(service));
    if (written.metadata.deletionTimestamp === undefined) own.wrote(written);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** False: it was so already. */
export async function writeIngress(
  { client, own }: ServiceWriter,
  service: Service,
  ingress: readonly LoadBalancerIngress[],
): Promise<boolean> {
  const wanted = withIngress(service, ingress);
  if (wanted === undefined) return false;
  own.wrote(await client.updateStatus(services, wanted));
  return true;
}
