/** Makes and removes IPAddress objects. */
import { ipAddresses } from "../../api/resources.ts";
import { conflictError, isAlreadyExists, isNotFound } from "../../api/status.ts";
import type { IPAddress } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import { parentKey, type AddressPlan } from "./reconcile.ts";

export async function writeAddresses(client: Client, { create, remove }: AddressPlan): Promise<void> {
  for (const { metadata } of remove) await removeAddress(client, metadata.name ?? "", metadata.uid);
  for (const address of create) await createAddress(client, address);
}

async function removeAddress(client: Client, name: string, uid: string | undefined): Promise<void> {
  try {
    await client.delete(ipAddresses, { name }, uid === undefined ? {} : { preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** The former holder's may still be there: it goes when that Service is seen to be gone, and then it is tried again. */
async function createAddress(client: Client, address: IPAddress): Promise<void> {
  try {
    await client.create(ipAddresses, address);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const { name = "" } = address.metadata;
    const present = await client.get(ipAddresses, { name });
    if (parentKey(present) !== parentKey(address)) throw conflictError(ipAddresses, name, `it belongs to ${parentKey(present)}`);
  }
}
