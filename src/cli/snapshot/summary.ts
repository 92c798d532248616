/** What people want to know of a snapshot. Reading it checks it, to the end. */
import { openSnapshot } from "../../storage/snapshot/format.ts";

export interface Summary {
  readonly revision: number;
  /** RFC 3339 */
  readonly takenAt: string;
  readonly objects: number;
  /** Of the values. */
  readonly bytes: number;
  /** `deployments.apps` → how many, in the order of names. */
  readonly resources: Readonly<Record<string, number>>;
}

/** Throws FL_SNAPSHOT. */
export async function summaryOf(file: AsyncIterable<Uint8Array>): Promise<Summary> {
  const { head, entries } = await openSnapshot(file);
  const counts = new Map<string, number>();
  let [objects, bytes] = [0, 0];
  for await (const { key, value } of entries) {
    const resource = key.split("/")[2] ?? key;
    counts.set(resource, (counts.get(resource) ?? 0) + 1);
    objects += 1;
    bytes += value.byteLength;
  }
  const resources = Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  return { ...head, objects, bytes, resources };
}

export function described({ objects, bytes, revision, takenAt }: Summary): string {
  return `${objects} objects (${Math.ceil(bytes / 1024)} KiB) of revision ${revision}, taken at ${takenAt}`;
}
