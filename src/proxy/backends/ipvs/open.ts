/** Opens what ipvs mode needs of one network namespace, or says what is missing. */
import { openConntrack } from "../../../host/conntrack/conntrack.ts";
import { openIpset, type Ipset } from "../../../host/ipset/ipset.ts";
import type { Iptables } from "../../../host/iptables/iptables.ts";
import { openDummyLink } from "../../../host/ipvs/dummy-link.ts";
import { openIpvs, type Ipvs } from "../../../host/ipvs/ipvs.ts";
import { NETLINK_GENERIC, NETLINK_NETFILTER, NETLINK_ROUTE, type NetlinkSocket } from "../../../host/netlink/socket.ts";
import { dummyLink } from "../../../decide/proxy/render/ipvs/text.ts";
import type { IpvsScheduler } from "../../../decide/proxy/render/ipvs/state.ts";
import { errorMessage } from "../../../lib/errors.ts";
import { setDefinition, type IpvsKernel } from "./kernel.ts";

export interface OpenIpvsOptions {
  /** A socket of that protocol in the namespace. */
  readonly netlink: (protocol: number) => Promise<NetlinkSocket>;
  readonly iptables: Iptables;
  readonly setting: IpvsKernel["setting"];
  readonly scheduler: IpvsScheduler;
}

/** `why`: in words that complete "mode ipvs cannot be used: …". */
export type OpenedIpvs = { readonly kind: "ok"; readonly kernel: IpvsKernel } | { readonly kind: "unsupported"; readonly why: string };

/** Upstream pkg/proxy/ipvs/supported.go `CanUseIPVSProxier`: a virtual server with the scheduler is made and taken away. */
export async function openIpvsKernel({ netlink, iptables, setting, scheduler }: OpenIpvsOptions): Promise<OpenedIpvs> {
  const sockets: NetlinkSocket[] = [];
  const open = async (protocol: number): Promise<NetlinkSocket> => {
    const socket = await netlink(protocol);
    sockets.push(socket);
    return socket;
  };
  try {
    const ipvs = await openIpvs(await open(NETLINK_GENERIC));
    tryScheduler(ipvs, scheduler);
    const ipset = openIpset(await open(NETLINK_NETFILTER));
    await trySetMatch(ipset, iptables);
    const link = openDummyLink(await open(NETLINK_ROUTE), dummyLink);
    const conntrack = openConntrack(await open(NETLINK_NETFILTER));
    return { kind: "ok", kernel: { ipvs, ipset, link, iptables, setting, conntrack } };
  } catch (error) {
    for (const socket of sockets) socket.close();
    return { kind: "unsupported", why: errorMessage(error) };
  }
}

/** Of TEST-NET-2 (RFC 5737), which nobody uses. */
const probe = { address: "198.51.100.0", port: 20_000, protocol: "TCP" } as const;

function tryScheduler(ipvs: Ipvs, scheduler: IpvsScheduler): void {
  if (ipvs.services().some((service) => service.scheduler === scheduler)) return;
  const [refusal] = ipvs.run([{ kind: "addService", service: { ...probe, scheduler } }]).values();
  if (refusal !== undefined) throw new Error(`this kernel has no scheduler ${scheduler} (${refusal.message})`);
  ipvs.run([{ kind: "deleteService", service: probe }]);
}

/** Whether iptables can ask a set (xt_set): a rule that does is made and taken away in one transaction. */
async function trySetMatch(ipset: Ipset, iptables: Iptables): Promise<void> {
  const set = setDefinition("KUBE-HEALTH-CHECK-NODE-PORT", 4);
  const isNew = ipset.list(set) === undefined;
  ipset.create(set);
  const chain = "FAIRLEAD-PROBE";
  const lines = [
    "*nat",
    `:${chain} - [0:0]`,
    `-A ${chain} -p tcp -m set --match-set ${set.name} dst -j RETURN`,
    `-F ${chain}`,
    `-X ${chain}`,
    "COMMIT",
  ];
  try {
    await iptables.restore(4, `${lines.join("\n")}\n`);
  } finally {
    if (isNew) ipset.destroy(set.name);
  }
}
