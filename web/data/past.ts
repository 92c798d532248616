/** What became of a Service's endpoints, write by write: the moments at which its routing changed, and what was so then. Pure. */
import type { EndpointSlice } from "../../src/api/types.ts";
import type { ServicePast } from "../../src/console/wire.ts";
import { refOfKey, type PastVersion } from "../../src/decide/explain/history/past.ts";
import { routingDiff, type RoutingChange } from "../../src/decide/explain/history/routing-diff.ts";
import { serviceNameLabel } from "../../src/decide/endpoints/names.ts";
import { endpointRows, type EndpointRow } from "./service-row.ts";

export interface Moment {
  readonly change: RoutingChange;
  /** As they were after it. */
  readonly endpoints: readonly EndpointRow[];
}

/** The oldest first. `id`: `shop/web`. */
export function momentsOf({ before, writes }: ServicePast, id: string): readonly Moment[] {
  const changes = routingDiff(before, writes).filter(
    ({ subject }) => subject.kind === "Service" && `${subject.namespace}/${subject.name}` === id,
  );
  const slices = new Map<string, EndpointSlice>();
  for (const version of before) apply(slices, version, id);
  let next = 0;
  return changes.map((change) => {
    for (; next < writes.length && (writes[next] as PastVersion).revision <= change.revision; next++)
      apply(slices, writes[next] as PastVersion, id);
    return { change, endpoints: endpointRows([...slices.values()]) };
  });
}

function apply(slices: Map<string, EndpointSlice>, { key, object }: PastVersion, id: string): void {
  if (refOfKey(key)?.kind !== "EndpointSlice") return;
  const slice = object as EndpointSlice | null;
  const owner = `${slice?.metadata.namespace}/${slice?.metadata.labels?.[serviceNameLabel]}`;
  if (slice !== null && owner === id) slices.set(key, slice);
  else slices.delete(key);
}
