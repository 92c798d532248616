/** Takes the proxy's rules out of the kernel, also those of a kube-proxy that is gone. Connections that stand go on. */
import { isOfListing, readListing } from "../../../decide/proxy/render/iptables/listing.ts";
import { removalText } from "../../../decide/proxy/render/iptables/text.ts";
import type { Iptables } from "../../../host/iptables/iptables.ts";
import type { IpFamily } from "../../../lib/ip.ts";

export async function cleanup(iptables: Iptables, families: readonly IpFamily[] = [4, 6]): Promise<void> {
  for (const family of families) {
    const listing = readListing(await iptables.save(family, isOfListing));
    await iptables.restore(family, removalText(listing));
  }
}
