/** Leaves nothing behind: listeners are closed, connections that are being carried are reset. */
import type { StreamSocket } from "../../../net/stream-socket.ts";
import type { Bound } from "./listeners.ts";

export async function cleanup(bound: readonly Bound[], open: ReadonlySet<StreamSocket>): Promise<void> {
  await Promise.all(bound.map((one) => one.close()));
  for (const socket of open) socket.resetAndDestroy();
}
