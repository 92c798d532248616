/** Writes a namespace's `kube-root-ca.crt`. */
import { configMaps } from "../../api/resources.ts";
import type { Client } from "../../client/client.ts";
import { createUnlessThere } from "../serviceaccount/finalize.ts";
import type { RootCaPlan } from "./reconcile.ts";

export async function writeRootCa(client: Client, plan: RootCaPlan): Promise<void> {
  if (plan.kind === "create") await createUnlessThere(client, configMaps, plan.configMap);
  if (plan.kind === "update") await client.update(configMaps, plan.configMap);
}
