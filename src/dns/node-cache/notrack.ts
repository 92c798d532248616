/**
 * Rules that keep the packets of a node's cache out of connection tracking, in both directions: what is not tracked no NAT
 * rewrites, and it takes no entry of the table (kubernetes/dns `cmd/node-cache/app/cache_app.go`, the `raw` table). Pure.
 */
import { Ruleset } from "../../lib/nftables/model.ts";
import type { Operation, Statement, TableFamily } from "../../lib/nftables/ruleset.ts";
import { rulesetText } from "../../lib/nftables/text.ts";

const name = "fairlead-node-cache";
const families: readonly TableFamily[] = ["ip", "ip6"];
/** Before connection tracking (-200), where iptables has its table `raw`. */
const raw = -300;

/** In place of those of an earlier run, which may have ended badly. */
export function notrackOperations(addresses: readonly string[], port: number): readonly Operation[] {
  return [...removeOperations(families), ...families.flatMap((family) => familyOperations(family, addresses, port))];
}

/** Adding first makes the deletion good also where there is nothing to delete. */
export function removeOperations(of: readonly TableFamily[] = families): readonly Operation[] {
  return of.flatMap((family): Operation[] => [
    { kind: "addTable", table: { family, name } },
    { kind: "deleteTable", table: { family, name } },
  ]);
}

function familyOperations(family: TableFamily, addresses: readonly string[], port: number): readonly Operation[] {
  const own = addresses.filter((address) => address.includes(":") === (family === "ip6"));
  if (own.length === 0) return [];
  const table = { family, name };
  const rule = (chain: string, ...statements: readonly Statement[]): Operation => ({
    kind: "addRule",
    table,
    chain,
    statements: [...statements, { kind: "notrack" }],
  });
  const is = (field: `${TableFamily} ${"saddr" | "daddr"}`, value: string): Statement => ({ kind: "match", field, operator: "==", value });
  return [
    { kind: "addTable", table },
    { kind: "addChain", table, chain: "prerouting", base: { type: "filter", hook: "prerouting", priority: raw } },
    { kind: "addChain", table, chain: "output", base: { type: "filter", hook: "output", priority: raw } },
    ...own.flatMap((address) => [
      ...["prerouting", "output"].flatMap((chain) =>
        (["udp dport", "tcp dport"] as const).map((field) =>
          rule(chain, is(`${family} daddr`, address), { kind: "match", field, operator: "==", value: port }),
        ),
      ),
      // Answers: nothing but the cache sends from its addresses.
      rule("output", is(`${family} saddr`, address)),
    ]),
  ];
}

/** As `nft` would list them. */
export function notrackText(addresses: readonly string[], port: number): string {
  const ruleset = new Ruleset();
  ruleset.commit(notrackOperations(addresses, port));
  return rulesetText(ruleset);
}
