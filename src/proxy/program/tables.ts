/** Names of tables of nftables that proxies have. */
import { defaultTableName } from "../../decide/proxy/render/nftables.ts";
import type { Table } from "../../lib/nftables/ruleset.ts";

const bothFamilies = (name: string): readonly Table[] => [
  { family: "ip", name },
  { family: "ip6", name },
];

/** kube-proxy's, in mode nftables. */
export const kubeProxyTables = bothFamilies("kube-proxy");
export const ownTables = bothFamilies(defaultTableName);
