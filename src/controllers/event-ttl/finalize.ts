/** Looks through all Events, page by page, and deletes what is over. */
import { events } from "../../api/resources.ts";
import { isConflict, isNotFound } from "../../api/status.ts";
import type { Event } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import { expiredEvents } from "./reconcile.ts";

const pageSize = 500;

export async function deleteExpired(client: Client, ttlMs: number, now: number): Promise<void> {
  let next = "";
  do {
    const page = await client.list(events, { limit: pageSize, ...(next === "" ? {} : { continue: next }) });
    for (const event of expiredEvents(page.items, ttlMs, now)) await deleteEvent(client, event);
    next = page.metadata.continue ?? "";
  } while (next !== "");
}

/** One that was counted up in the meantime is not over. */
async function deleteEvent(client: Client, { metadata: { namespace, name = "", resourceVersion } }: Event): Promise<void> {
  try {
    await client.delete(events, { namespace, name }, resourceVersion === undefined ? {} : { preconditions: { resourceVersion } });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
