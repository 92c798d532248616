/**
 * Where a client's address survives: what docs/source-address.md says, by real connections through nftables, iptables and userspace mode, and by
 * ipvs mode's tables, whose packets `test/vm/ipvs.test.ts` sends for real. UPDATE_GOLDENS=1 writes the document's table anew.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { renderIpvs } from "../../src/decide/proxy/render/ipvs/render.ts";
import { traceIpvs } from "../../src/decide/proxy/render/ipvs/trace.ts";
import { startRig, unsupported, type Rig, type RigMode } from "./proxy-rig.ts";
import { cell, clients, look, serveWays, ways, type Seen, type Sightings } from "./source-address.ts";

const file = join(import.meta.dirname, "../../docs/source-address.md");
const modes = ["iptables", "nftables", "userspace", "ipvs"] as const;
type Mode = (typeof modes)[number];

const [begin, end] = ["<!-- made by test/root/source-address.test.ts -->\n", "<!-- the end of the table -->\n"];

function cellText(sightings: Sightings, way: (typeof ways)[number], client: (typeof clients)[number]): string {
  const [four, six] = ([4, 6] as const).map((family) => sightings.get(cell(way, client, family)) as Seen);
  return four === six ? String(four) : `${four} (IPv6: ${six})`;
}

/** The node is seen as itself, which no table need say. */
const others = clients.filter((client) => client !== "node");

function tableOf(by: Readonly<Record<Mode, Sightings>>): string {
  const rows = ways.flatMap((way) =>
    others.map((client) => [way.type, way.policy, client, ...modes.map((mode) => cellText(by[mode], way, client))]),
  );
  const lines = [["address", "policy", "client", ...modes], ["", "", "", ...modes.map(() => "")].map(() => "---"), ...rows];
  return lines.map((words) => `| ${words.join(" | ")} |\n`).join("");
}

/** By the plan of the first node's proxy, whatever its mode. */
function byIpvs(rig: Rig): Sightings {
  const [node, proxy] = [rig.nodes[0], rig.proxies[0]];
  if (node === undefined || proxy === undefined) throw new Error("no node");
  const plan = proxy.plan();
  const from = { pod: rig.pods.b.addresses, node: node.addresses, outside: rig.outside.addresses };
  const seen = new Map<string, Seen>();
  for (const family of [4, 6] as const) {
    const state = renderIpvs(plan.services, { node: plan.node, family });
    for (const way of ways) {
      for (const client of clients) {
        const i = family === 4 ? 0 : 1;
        const packet = { from: from[client][i] as string, to: way.addresses(rig)[i] as string, port: way.port, protocol: "TCP" as const };
        const trace = traceIpvs(state, plan.node, packet);
        const [endpoint] = trace.kind === "dnat" ? trace.endpoints : [];
        const sight = {
          dnat: endpoint?.masquerade === true && client !== "node" ? "node" : "client",
          reject: "refused",
          drop: "dropped",
          none: "dropped",
        };
        seen.set(cell(way, client, family), sight[trace.kind] as Seen);
      }
    }
  }
  return seen;
}

const why = unsupported() || (spawnSync("iptables", ["--version"]).status === 0 ? "" : "needs iptables");

test("docs/source-address.md says whom endpoints see", { timeout: 240_000 }, async (context) => {
  if (why !== "") return context.skip(why);
  const by: Partial<Record<Mode, Sightings>> = {};
  for (const mode of ["iptables", "nftables", "userspace"] as const satisfies readonly RigMode[]) {
    const rig = await startRig(mode);
    try {
      await serveWays(rig);
      by[mode] = await look(rig);
      by.ipvs ??= byIpvs(rig);
    } finally {
      await rig.stop();
    }
  }
  for (const mode of modes)
    for (const way of ways) for (const family of [4, 6] as const) expect(by[mode]?.get(cell(way, "node", family))).toBe("client");
  const made = tableOf(by as Record<Mode, Sightings>);
  const text = readFileSync(file, "utf8");
  const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
  if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(file, `${text.slice(0, from)}\n${made}\n${text.slice(to)}`);
  else expect(text.slice(from, to).trim()).toBe(made.trim());
});
