/** The proxy's modes. A new backend adds its folder and one line here. */
import { FairleadError } from "../../lib/errors.ts";
import type { IpFamily } from "../../lib/ip.ts";
import type { Backend } from "./backend.ts";
import { IptablesBackend, type IptablesBackendOptions } from "./iptables/apply.ts";
import { IpvsBackend, type IpvsBackendOptions } from "./ipvs/apply.ts";
import { withLocalhostNodePorts } from "./localhost.ts";
import { NftablesBackend, type NftablesBackendOptions } from "./nftables/apply.ts";
import { UserspaceBackend, type UserspaceOptions } from "./userspace/apply.ts";

export interface BackendOptions extends UserspaceOptions {
  /** Mode `nftables` needs it. */
  readonly nftables?: NftablesBackendOptions;
  /** Mode `iptables` needs it. */
  readonly iptables?: IptablesBackendOptions;
  /** Mode `ipvs` needs it. */
  readonly ipvs?: IpvsBackendOptions;
  /** Kernel modes: families at whose loopback address user space serves NodePorts. Default: none. */
  readonly localhostNodePorts?: readonly IpFamily[];
}

const backends = {
  userspace: (options: BackendOptions): Backend => new UserspaceBackend(options),
  nftables: ({ nftables }: BackendOptions): Backend => {
    if (nftables === undefined) throw new FairleadError("FL_INTERNAL", "proxy mode nftables without a netlink socket");
    return new NftablesBackend(nftables);
  },
  iptables: ({ iptables }: BackendOptions): Backend => {
    if (iptables === undefined) throw new FairleadError("FL_INTERNAL", "proxy mode iptables without its programs");
    return new IptablesBackend(iptables);
  },
  ipvs: ({ ipvs }: BackendOptions): Backend => {
    if (ipvs === undefined) throw new FairleadError("FL_INTERNAL", "proxy mode ipvs without the kernel's tables");
    return new IpvsBackend(ipvs);
  },
} as const;

export type BackendMode = keyof typeof backends;

export function createBackend(mode: BackendMode, options: BackendOptions): Backend {
  const backend = backends[mode](options);
  const { localhostNodePorts: families = [], clock, metrics, classify, hostAddresses, transport } = options;
  if (mode === "userspace" || families.length === 0) return backend;
  const userspace = new UserspaceBackend({ clock, metrics, classify, hostAddresses, ...(transport === undefined ? {} : { transport }) });
  return withLocalhostNodePorts({ kernel: backend, userspace, families });
}
