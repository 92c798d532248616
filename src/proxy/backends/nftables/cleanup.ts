/** Takes the proxy's tables out of the kernel, also those of a proxy that is gone. Connections that stand go on. */
import { NftablesRenderer } from "../../../decide/proxy/render/nftables.ts";
import type { Nftables } from "../../../host/nftables/nftables.ts";

export function cleanup(nftables: Nftables): void {
  nftables.commit(new NftablesRenderer({ node: { addresses: [] }, serviceCIDRs: [] }).removal());
}
