/** Writes the status of a ReplicaSet, or of a ReplicationController, whose status has the same fields. */
import type { ReplicaSet, ReplicaSetStatus } from "../../api/types.ts";
import type { Resource } from "../../api/resources.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import type { OwnWrites } from "../own-writes.ts";
import type { PodControl } from "../pod-control.ts";
import type { Replicated } from "./replicated.ts";

export interface ReplicaSetWriter<T extends Replicated = ReplicaSet> extends PodControl {
  readonly resource: Resource<T>;
  readonly ownSets: OwnWrites<T>;
}

/** Written only when it says something new. */
export async function writeStatus<T extends Replicated>(
  { client, resource, ownSets }: ReplicaSetWriter<T>,
  set: T,
  status: ReplicaSetStatus,
): Promise<void> {
  if (semanticEqual(set.status, status)) return;
  ownSets.wrote(await client.updateStatus(resource, { ...set, status }));
}
