/** Mode ipvs in the network namespace in which this program runs. */
import { writeFileSync } from "node:fs";
import { isIpvsScheduler } from "../../decide/proxy/render/ipvs/state.ts";
import { openIptables } from "../../host/iptables/iptables.ts";
import { openNetlink } from "../../host/netlink/socket.ts";
import { loadLibc } from "../../host/syscalls/libc.ts";
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import type { IpFamily } from "../../lib/ip.ts";
import type { Logger } from "../../lib/log.ts";
import type { IpvsBackendKernelOptions } from "../backends/ipvs/apply.ts";
import { cleanup } from "../backends/ipvs/cleanup.ts";
import { openIpvsKernel } from "../backends/ipvs/open.ts";
import type { IpvsKernel } from "../backends/ipvs/kernel.ts";
import type { ProxySettings } from "../configuration/settings.ts";

/** What a person is told who chooses this mode. */
export const ipvsLeaves =
  "mode ipvs leaves Kubernetes (KEP-5495: off by default in 1.40): 'fairlead proxy diff --from ipvs --to nftables' says what changes for your Services";

/** Throws FL_UNSUPPORTED where the kernel has no IPVS, no such scheduler, or this process may not. */
export async function ipvsKernel(
  settings: Pick<ProxySettings, "ipvs" | "masqueradeBit" | "masqueradeAll">,
  families: readonly IpFamily[],
  log: Logger,
): Promise<IpvsBackendKernelOptions> {
  const { scheduler, excludeCIDRs, strictARP, tcpTimeoutMs, tcpFinTimeoutMs, udpTimeoutMs } = settings.ipvs;
  if (!isIpvsScheduler(scheduler)) throw new FairleadError("FL_CONFIG", `--ipvs-scheduler ${scheduler}: no scheduler of IPVS`);
  const kernel = await openHere(scheduler);
  const seconds = (ms: number) => Math.ceil(ms / 1000);
  return {
    kernel,
    families,
    rules: { scheduler, masqueradeAll: settings.masqueradeAll, masqueradeBit: settings.masqueradeBit, randomFully: true },
    excludeCIDRs,
    strictARP,
    timeouts: { tcp: seconds(tcpTimeoutMs), tcpFin: seconds(tcpFinTimeoutMs), udp: seconds(udpTimeoutMs) },
    log,
  };
}

async function openHere(scheduler: Parameters<typeof openIpvsKernel>[0]["scheduler"]): Promise<IpvsKernel> {
  const libc = loadLibc();
  if (libc === undefined) throw new FairleadError("FL_UNSUPPORTED", "mode ipvs: no native calls (the koffi package)");
  const opened = await openIpvsKernel({
    netlink: async (protocol) => openNetlink(libc, protocol),
    iptables: openIptables(),
    setting: async (name, value) => writeFileSync(`/proc/sys/${name}`, value, { flag: "r+" }),
    scheduler,
  });
  if (opened.kind === "ok") return opened.kernel;
  throw new FairleadError("FL_UNSUPPORTED", `mode ipvs: ${opened.why}`, {
    hint: "It needs root (CAP_NET_ADMIN), a kernel with ip_vs and ip_set, and iptables.",
  });
}

/** For `--cleanup`. Where the kernel has no IPVS there is nothing of this mode. */
export async function cleanupIpvs(families: readonly IpFamily[], log: Logger): Promise<boolean> {
  let kernel: IpvsKernel;
  try {
    kernel = await openHere("rr");
  } catch {
    return true;
  }
  try {
    await cleanup(kernel, families);
    return true;
  } catch (error) {
    log.error("ipvs", { error: errorMessage(error) });
    return false;
  } finally {
    for (const part of [kernel.ipvs, kernel.ipset, kernel.link, kernel.conntrack]) part?.close();
  }
}
