/**
 * `GET /debug/snapshot`: everything that is stored, Secrets included, as of one revision and as a file that
 * `fairlead snapshot restore` takes. It comes from the watch cache, so it neither waits for writes nor holds them up. Only who
 * may GET every path gets it: members of `system:masters`, and whom a ClusterRole gives this `nonResourceURL`.
 */
import { rfc3339 } from "../lib/clock.ts";
import { writeSnapshot } from "../storage/snapshot/format.ts";
import type { Store } from "./store.ts";

export const snapshotPath = "/debug/snapshot";

/** `now` in milliseconds since the epoch. */
export function snapshotOf(store: Pick<Store, "snapshot">, now: number): AsyncIterable<Uint8Array> {
  const { revision, entries } = store.snapshot();
  return writeSnapshot({ revision, takenAt: rfc3339(now) }, entries);
}
