/** Writes what was decided about a ServiceCIDR. */
import { serviceCidrs } from "../../api/resources.ts";
import type { Condition, ServiceCIDR } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";

export async function writeFinalizers(client: Client, cidr: ServiceCIDR, finalizers: readonly string[]): Promise<void> {
  await client.update(serviceCidrs, { ...cidr, metadata: { ...cidr.metadata, finalizers } });
}

export async function writeCondition(client: Client, cidr: ServiceCIDR, condition: Condition): Promise<void> {
  const others = (cidr.status?.conditions ?? []).filter(({ type }) => type !== condition.type);
  await client.updateStatus(serviceCidrs, { ...cidr, status: { ...cidr.status, conditions: [...others, condition] } });
}
