/** Makes what is missing; what is there stays as it is, be it changed by somebody. */
import { isAlreadyExists } from "../../api/status.ts";
import type { Client } from "../../client/client.ts";
import type { SystemObject } from "./reconcile.ts";

export async function ensure(client: Client, { resource, object }: SystemObject): Promise<void> {
  try {
    await client.create(resource, object);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
