/** Creates what every namespace has; also used by the root-ca controller. */
import type { KubeObject } from "../../api/object.ts";
import type { Resource } from "../../api/resources.ts";
import { isAlreadyExists, isNotFound } from "../../api/status.ts";
import type { Client } from "../../client/client.ts";
import { isNamespaceTerminating } from "../failures.ts";

/** Somebody was quicker, or the namespace went in the meantime: both are fine. */
export async function createUnlessThere<T extends KubeObject>(client: Client, resource: Resource<T>, object: T): Promise<void> {
  try {
    await client.create(resource, object);
  } catch (error) {
    if (!isAlreadyExists(error) && !isNamespaceTerminating(error) && !isNotFound(error)) throw error;
  }
}
