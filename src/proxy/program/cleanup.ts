/** `--cleanup`: takes the rules of every mode away, ours and kube-proxy's. Connections that stand go on. */
import { openIptables } from "../../host/iptables/iptables.ts";
import { NETLINK_NETFILTER, openNetlink } from "../../host/netlink/socket.ts";
import { openNftables } from "../../host/nftables/nftables.ts";
import { loadLibc } from "../../host/syscalls/libc.ts";
import { errnoCode, errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { cleanup as cleanupIptables } from "../backends/iptables/cleanup.ts";
import { cleanup as cleanupNftables } from "../backends/nftables/cleanup.ts";
import { cleanupIpvs } from "./ipvs-kernel.ts";
import { kernelFamilies } from "./kernel.ts";
import { kubeProxyTables } from "./tables.ts";

/** False: something could not be taken away; the log says what. */
export async function cleanupEverything(log: Logger): Promise<boolean> {
  const done = [cleanNftables(log), await cleanupIpvs(kernelFamilies(), log), await cleanIptables(log)];
  return done.every(Boolean);
}

function cleanNftables(log: Logger): boolean {
  const libc = loadLibc();
  if (libc === undefined) {
    log.error("nftables: no native calls (the koffi package)");
    return false;
  }
  const nftables = openNftables(openNetlink(libc, NETLINK_NETFILTER));
  try {
    cleanupNftables(nftables);
    for (const table of kubeProxyTables) if (nftables.has(table)) nftables.commit([{ kind: "deleteTable", table }]);
    return true;
  } catch (error) {
    log.error("nftables", { error: errorMessage(error) });
    return false;
  } finally {
    nftables.close();
  }
}

/** Where the programs are missing there is nothing of theirs either. */
async function cleanIptables(log: Logger): Promise<boolean> {
  try {
    await cleanupIptables(openIptables(), kernelFamilies());
    return true;
  } catch (error) {
    if (errnoCode((error as Error).cause) === "ENOENT") return true;
    log.error("iptables", { error: errorMessage(error) });
    return false;
  }
}
