/** Writes the rules of an aggregated ClusterRole. */
import { clusterRoles } from "../../api/resources.ts";
import type { ClusterRole, PolicyRule } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";

export async function writeRules(client: Client, role: ClusterRole, rules: readonly PolicyRule[]): Promise<void> {
  await client.update(clusterRoles, { ...role, rules });
}
