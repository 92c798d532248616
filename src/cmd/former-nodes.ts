/** Nodes of an earlier run that this one does not start: their objects would stand there as if somebody ran their pods. */
import { nodes } from "../api/resources.ts";
import { isNotFound } from "../api/status.ts";
import type { Client } from "../client/client.ts";

/** Removes `node-N` beyond `count`; the garbage collection of pods then removes what was bound to them. */
export async function removeFormerNodes(client: Client, count: number): Promise<void> {
  const { items } = await client.list(nodes);
  const former = items.filter(({ metadata: { name = "" } }) => Number(/^node-(\d+)$/.exec(name)?.[1] ?? 0) > count);
  for (const { metadata } of former) {
    try {
      await client.delete(nodes, { name: metadata.name ?? "" });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}
