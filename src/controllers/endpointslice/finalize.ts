/** Writes changes of EndpointSlices; also used by the mirroring controller. */
import { endpointSlices } from "../../api/resources.ts";
import { isNotFound } from "../../api/status.ts";
import type { EndpointSlice } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import { triggerTimeAnnotation } from "../../decide/endpoints/names.ts";
import type { SliceChanges } from "../../decide/endpoints/slices.ts";
import { isNamespaceTerminating } from "../failures.ts";
import type { OwnWrites } from "../own-writes.ts";

export interface SliceWriter {
  readonly client: Client;
  readonly ownSlices: OwnWrites<EndpointSlice>;
}

/**
 * `mayCreate`: false for a parent that is being deleted, lest slices are made again while they are collected.
 * `triggerTime`: see trigger-times.ts; absent, a former one is taken away, for it is not about this change.
 */
export async function writeSlices(
  writer: SliceWriter,
  changes: SliceChanges,
  mayCreate: boolean,
  triggerTime: string | undefined,
): Promise<void> {
  const { client, ownSlices } = writer;
  try {
    for (const slice of mayCreate ? changes.create : [])
      ownSlices.wrote(await client.create(endpointSlices, withTriggerTime(slice, triggerTime)));
  } catch (error) {
    if (isNamespaceTerminating(error)) return;
    throw error;
  }
  for (const slice of changes.update) ownSlices.wrote(await client.update(endpointSlices, withTriggerTime(slice, triggerTime)));
  for (const slice of changes.delete) await deleteSlice(writer, slice);
}

export async function deleteSlice({ client, ownSlices }: SliceWriter, slice: EndpointSlice): Promise<void> {
  const { namespace, name = "" } = slice.metadata;
  try {
    await client.delete(endpointSlices, { namespace, name });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  ownSlices.deleted(slice);
}

function withTriggerTime(slice: EndpointSlice, time: string | undefined): EndpointSlice {
  const { [triggerTimeAnnotation]: former, ...others } = slice.metadata.annotations ?? {};
  if (former === time) return slice;
  const annotations = time === undefined ? others : { ...others, [triggerTimeAnnotation]: time };
  return { ...slice, metadata: { ...slice.metadata, annotations } };
}
