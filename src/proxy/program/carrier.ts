/** Opens what a mode needs of the machine; where it cannot be had, the next best mode, saying so. */
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import type { IpFamily } from "../../lib/ip.ts";
import type { Logger } from "../../lib/log.ts";
import type { EventLoop } from "../../net/epoll/event-loop.ts";
import type { BackendMode } from "../backends/index.ts";
import type { ProxySettings } from "../configuration/settings.ts";
import type { ProxyOptions } from "../proxy-options.ts";
import { ipvsKernel, ipvsLeaves } from "./ipvs-kernel.ts";
import { iptablesKernel, kernelFamilies, nftablesKernel } from "./kernel.ts";
import { removeLeftovers } from "./leftovers.ts";
import { openUserspace } from "./userspace.ts";

export interface Carrier {
  readonly mode: BackendMode;
  readonly families: readonly IpFamily[];
  readonly options: Pick<ProxyOptions, "kernel" | "iptables" | "ipvs" | "transport" | "redirects">;
  /** Mode userspace: the loop that carries connections. */
  readonly loop?: EventLoop;
  /** For the log and, by `reason`, an Event of the node. */
  readonly warnings: readonly { readonly reason: string; readonly message: string }[];
  /** Takes away what a proxy that runs no more has left of other modes. */
  removeLeftovers(): Promise<void>;
}

export interface CarrierOptions {
  readonly settings: ProxySettings;
  readonly serviceCIDRs: readonly string[];
  readonly strictMode: boolean;
  readonly log: Logger;
}

/** Throws FL_UNSUPPORTED where nothing can be had, or with `strictMode` not the very mode. */
export async function openCarrier(options: CarrierOptions): Promise<Carrier> {
  const { settings, strictMode } = options;
  const warnings: { reason: string; message: string }[] = [];
  if (settings.mode === "ipvs") warnings.push({ reason: "ProxyModeDeprecated", message: ipvsLeaves });
  let why: unknown;
  for (const mode of strictMode ? [settings.mode] : standIns[settings.mode]) {
    try {
      const opened = await openers[mode](options);
      return { ...opened, warnings, removeLeftovers: () => removeLeftovers(opened.mode, opened.families, options.log) };
    } catch (error) {
      why ??= error;
      warnings.push({ reason: "ProxyModeNotAvailable", message: `${errorMessage(error)}; trying the next mode` });
    }
  }
  throw why instanceof Error ? why : new FairleadError("FL_UNSUPPORTED", `mode ${settings.mode} cannot be had here`);
}

/** What comes closest first: same addresses, same semantics; user space only where it is asked for, as it needs other addresses. */
const standIns: Readonly<Record<ProxySettings["mode"], readonly ProxySettings["mode"][]>> = {
  iptables: ["iptables", "nftables"],
  nftables: ["nftables"],
  ipvs: ["ipvs", "iptables", "nftables"],
  userspace: ["userspace"],
};

type Opener = (options: CarrierOptions) => Promise<Omit<Carrier, "warnings" | "removeLeftovers">>;

const openers: Readonly<Record<ProxySettings["mode"], Opener>> = {
  async iptables({ settings, log }) {
    const iptables = await iptablesKernel(settings, kernelFamilies(), log);
    const families = iptables.families ?? kernelFamilies();
    return { mode: "iptables", families, options: { iptables } };
  },
  async nftables({ serviceCIDRs, log }) {
    const families = kernelFamilies();
    const kernel = nftablesKernel(serviceCIDRs, families, log);
    return { mode: "nftables", families, options: { kernel } };
  },
  async ipvs({ settings, log }) {
    const families = kernelFamilies();
    const ipvs = await ipvsKernel(settings, families, log);
    return { mode: "ipvs", families, options: { ipvs } };
  },
  async userspace({ log }) {
    return { mode: "userspace", families: [4, 6], ...openUserspace(log) };
  },
};
