/**
 * Rules that keep the packets of a node's cache out of connection tracking, in both directions: what is not tracked no NAT
 * rewrites, and it takes no entry of the table (kubernetes/dns `cmd/node-cache/app/cache_app.go`, the `raw` table). Text for `nft -f`.
 */
const table = "fairlead_node_cache";

export const removeNotrack = `add table inet ${table}\ndelete table inet ${table}\n`;

export function notrackRules(addresses: readonly string[], port: number): string {
  const rules = (["ip", "ip6"] as const).flatMap((family) => {
    const own = addresses.filter((address) => address.includes(":") === (family === "ip6"));
    if (own.length === 0) return [];
    const set = `{ ${own.join(", ")} }`;
    return [
      ...["prerouting", "output"].map(
        (chain) => `    add rule inet ${table} ${chain} ${family} daddr ${set} meta l4proto { tcp, udp } th dport ${port} notrack`,
      ),
      `    add rule inet ${table} output ${family} saddr ${set} meta l4proto { tcp, udp } th sport ${port} notrack`,
    ];
  });
  const chains = ["prerouting", "output"].map(
    (hook) => `add chain inet ${table} ${hook} { type filter hook ${hook} priority raw; policy accept; }`,
  );
  return [removeNotrack.trimEnd(), `add table inet ${table}`, ...chains, ...rules.map((rule) => rule.trim()), ""].join("\n");
}
