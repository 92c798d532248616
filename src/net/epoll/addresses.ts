/** Addresses as the kernel takes them, kept: the same few endpoints and clients come again and again. */
import { encodeSocketAddress } from "../../host/syscalls/socket-address.ts";

const addresses = new Map<string, Uint8Array>();
const maxAddresses = 4096;

/** Throws a TypeError for what is no address. Not to be changed. */
export function addressOf(host: string, port: number): Uint8Array {
  const key = `${host} ${port}`;
  let address = addresses.get(key);
  if (address === undefined) {
    if (addresses.size >= maxAddresses) addresses.clear();
    addresses.set(key, (address = encodeSocketAddress(host, port)));
  }
  return address;
}
