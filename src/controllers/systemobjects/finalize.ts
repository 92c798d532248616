/** Makes what is missing; what is there stays as it is, be it changed by somebody. */
import type { KubeObject } from "../../api/object.ts";
import { serviceCidrs } from "../../api/resources.ts";
import { isAlreadyExists } from "../../api/status.ts";
import type { ServiceCIDR } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import { rfc3339 } from "../../lib/clock.ts";
import type { SystemObject } from "./reconcile.ts";

export async function ensure(client: Client, { resource, object }: SystemObject, now: number): Promise<void> {
  let made: KubeObject;
  try {
    made = await client.create(resource, object);
  } catch (error) {
    if (isAlreadyExists(error)) return;
    throw error;
  }
  if (resource.plural === serviceCidrs.plural) await reportReady(client, made as ServiceCIDR, now);
}

async function reportReady(client: Client, cidr: ServiceCIDR, now: number): Promise<void> {
  const message = "Kubernetes Service CIDR is ready";
  const condition = { type: "Ready", status: "True", reason: "", message, lastTransitionTime: rfc3339(now) };
  await client.updateStatus(serviceCidrs, { ...cidr, status: { conditions: [condition] } });
}
