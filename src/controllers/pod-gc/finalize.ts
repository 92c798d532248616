/** Removes pods without a grace period: nobody is there who would end them gracefully. */
import { pods } from "../../api/resources.ts";
import { isNotFound } from "../../api/status.ts";
import type { Pod } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";

export async function removePod(client: Client, { metadata: { namespace, name = "", uid } }: Pod): Promise<void> {
  try {
    await client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0, ...(uid === undefined ? {} : { preconditions: { uid } }) });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
