/** Writes an Endpoints object and says by Event when that fails. */
import { endpoints } from "../../api/resources.ts";
import { isConflict, isNotFound } from "../../api/status.ts";
import type { Endpoints } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import type { EventRecorder } from "../../client/event-recorder.ts";
import { errorMessage } from "../../lib/errors.ts";
import { isNamespaceTerminating } from "../failures.ts";
import type { OwnWrites } from "../own-writes.ts";
import type { EndpointsPlan } from "./reconcile.ts";

export interface EndpointsWriter {
  readonly client: Client;
  readonly recorder: EventRecorder;
  readonly own: OwnWrites<Endpoints>;
}

export async function writeEndpoints({ client, recorder, own }: EndpointsWriter, plan: EndpointsPlan): Promise<void> {
  if (plan.kind === "none") return;
  const { namespace, name } = plan.endpoints.metadata;
  try {
    own.wrote(plan.kind === "create" ? await client.create(endpoints, plan.endpoints) : await client.update(endpoints, plan.endpoints));
  } catch (error) {
    if (isNamespaceTerminating(error)) return;
    const [reason, what] =
      plan.kind === "create"
        ? ["FailedToCreateEndpoint", `Failed to create endpoint for service ${namespace}/${name}`]
        : ["FailedToUpdateEndpoint", `Failed to update endpoint ${namespace}/${name}`];
    if (!isConflict(error)) recorder.event(plan.endpoints, "Warning", reason, `${what}: ${errorMessage(error)}`);
    throw error;
  }
}

export async function deleteEndpoints({ client, own }: EndpointsWriter, object: Endpoints): Promise<void> {
  const { namespace, name = "" } = object.metadata;
  try {
    await client.delete(endpoints, { namespace, name });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  own.deleted(object);
}
