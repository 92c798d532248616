/**
 * Takes ipvs mode out of the kernel, also that of a kube-proxy that is gone (upstream pkg/proxy/ipvs/cleanup.go). The rules go before
 * the sets that they ask, and the virtual servers before the addresses that lead to them. Connections through them end.
 */
import { isOfListing, readListing } from "../../../decide/proxy/render/iptables/listing.ts";
import { removalText } from "../../../decide/proxy/render/iptables/text.ts";
import { ipvsChains } from "../../../decide/proxy/render/ipvs/rules.ts";
import { kernelSetName, setNames } from "../../../decide/proxy/render/ipvs/sets.ts";
import type { IpFamily } from "../../../lib/ip.ts";
import type { IpvsKernel } from "./kernel.ts";
import { KernelReader } from "./reader.ts";

export async function cleanup(
  kernel: IpvsKernel,
  families: readonly IpFamily[] = [4, 6],
  excludeCIDRs: readonly string[] = [],
): Promise<void> {
  const { ipvs, ipset, link, iptables } = kernel;
  for (const family of families) {
    const listing = readListing(await iptables.save(family, isOfListing));
    await iptables.restore(family, removalText(listing, Object.values(ipvsChains)));
  }
  ipvs.run(new KernelReader(kernel, excludeCIDRs).servers().map((service) => ({ kind: "deleteService", service })));
  link.remove();
  for (const family of families) for (const name of setNames) ipset.destroy(kernelSetName(name, family));
}
