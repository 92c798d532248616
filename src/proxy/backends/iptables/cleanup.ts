/** Takes the proxy's rules out of the kernel, also those of a kube-proxy that is gone. Connections that stand go on. */
import { jumpRules } from "../../../decide/proxy/render/iptables/layout.ts";
import { jumpWords, removalText } from "../../../decide/proxy/render/iptables/text.ts";
import type { Iptables } from "../../../host/iptables/iptables.ts";
import type { IpFamily } from "../../../lib/ip.ts";

export async function cleanup(iptables: Iptables, families: readonly IpFamily[] = [4, 6]): Promise<void> {
  for (const family of families) {
    // The chain of localhost NodePorts is the kubelet's too, and stays.
    for (const jump of jumpRules({ localhostNodePorts: false })) await iptables.rule(family, jumpWords(jump, "-D"));
    const existing = { filter: await iptables.chains(family, "filter"), nat: await iptables.chains(family, "nat") };
    await iptables.restore(family, removalText(existing));
  }
}
