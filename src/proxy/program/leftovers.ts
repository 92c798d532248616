/**
 * What a proxy that runs no more has left of other modes: it would answer beside ours. To be called when our own rules stand, so that
 * at no time there are none. (Upstream `platformCleanup` does it before.)
 */
import { openIptables } from "../../host/iptables/iptables.ts";
import { NETLINK_NETFILTER, openNetlink } from "../../host/netlink/socket.ts";
import { openNftables } from "../../host/nftables/nftables.ts";
import { loadLibc } from "../../host/syscalls/libc.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { IpFamily } from "../../lib/ip.ts";
import type { Logger } from "../../lib/log.ts";
import type { Table } from "../../lib/nftables/ruleset.ts";
import type { BackendMode } from "../backends/index.ts";
import { cleanup as cleanupIptables } from "../backends/iptables/cleanup.ts";
import { kubeProxyTables, ownTables } from "./tables.ts";

export async function removeLeftovers(mode: BackendMode, families: readonly IpFamily[], log: Logger): Promise<void> {
  removeTables([...kubeProxyTables, ...(mode === "nftables" ? [] : ownTables)], log);
  // Modes iptables and ipvs have chains of the same names, and have taken these over.
  if (mode === "nftables" || mode === "userspace") await removeIptables(families, log);
}

function removeTables(tables: readonly Table[], log: Logger): void {
  const libc = loadLibc();
  if (libc === undefined) return;
  try {
    const nftables = openNftables(openNetlink(libc, NETLINK_NETFILTER));
    for (const table of tables) {
      if (!nftables.has(table)) continue;
      nftables.commit([{ kind: "deleteTable", table }]);
      log.warn("a table that a proxy in mode nftables has left was taken away", { table: `${table.family} ${table.name}` });
    }
    nftables.close();
  } catch (error) {
    // Who may not look has made none either.
    log.debug("nftables cannot be looked through for leftovers", { error: errorMessage(error) });
  }
}

/** Only where there is something: the chains of another proxy, in tables that only its programs can read. */
async function removeIptables(families: readonly IpFamily[], log: Logger): Promise<void> {
  const iptables = openIptables();
  for (const family of families) {
    try {
      if (!(await iptables.rule(family, ["-t", "nat", "-S", "KUBE-SERVICES"]))) continue;
      await cleanupIptables(iptables, [family]);
      log.warn("rules that a proxy in mode iptables has left were taken away", { family });
    } catch {
      return;
    }
  }
}
