/** A simulation as tables, for people. Pure. */
import type { Simulation } from "../../decide/simulate/simulate.ts";
import type { Spread } from "../../decide/simulate/spread.ts";

export function simulationText({ nodes, services, endpoints, zones, spread, rules, dns }: Simulation): string {
  const spreads = Object.entries(spread).map(([name, of]) => spreadRow(name === "asIs" ? "as it is" : name, of));
  const head = ["distribution", "same node", "same zone", "other zone", "refused", "busiest p50", "p95", "most", "above 2×"];
  const modes = Object.entries(rules).map(([mode, { lines, perChange, compared }]) => [
    mode,
    whole(lines),
    perChange < 100 ? perChange.toFixed(1) : whole(perChange),
    whole(compared),
  ]);
  const overloaded = spread.asIs.overloaded.map(({ service, times }) => `  ${service}  ${times.toFixed(1)}×`);
  return [
    `${whole(nodes)} nodes, ${whole(services)} Services, ${whole(endpoints)} endpoints`,
    "",
    "Zones",
    table([
      ["zone", "nodes", "endpoints"],
      ...zones.map(({ zone, ...each }) => [zone || "(none)", whole(each.nodes), whole(each.endpoints)]),
    ]),
    "",
    "Where traffic goes (each Service the same amount, from all nodes alike; busiest: a Service's busiest endpoint, in multiples of an even share)",
    table([head, ...spreads]),
    ...(overloaded.length === 0 ? [] : ["", "Busiest, as it is", ...overloaded]),
    "",
    "What each node's proxy writes",
    table([["mode", "lines", "for one endpoint more or less", "rules a packet is compared with"], ...modes]),
    "",
    "What DNS servers are asked, in a second",
    table([
      ["as it is", whole(dns.plain)],
      ["with ndots:2", whole(dns.ndots2)],
      ["with a cache on each node", whole(dns.nodeCache)],
    ]),
  ].join("\n");
}

function spreadRow(name: string, { sameNode, sameZone, otherZone, refused, busiest, overloadedCount }: Spread): readonly string[] {
  const shares = [sameNode, sameZone, otherZone, refused].map((share) => `${(share * 100).toFixed(1)} %`);
  const times = [busiest.p50, busiest.p95, busiest.most].map((each) => `${each.toFixed(1)}×`);
  return [name, ...shares, ...times, whole(overloadedCount)];
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** The first column to the left, numbers to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows
    .map(
      (row) =>
        `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  ")}`,
    )
    .join("\n");
}
