/**
 * The real kube-proxy and our rules on the same random cluster states: `sh bin/node test/peers/kube-proxy/compare.ts --kube-proxy FILE`.
 * An API server of ours has the objects; kube-proxy makes its rules from it, in a network namespace of this program's own; they are
 * listed and walked through by packets, and so are ours, rendered from the same objects. Prints JSON; exit code 1: they differ.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { endpointSlices, services } from "../../../src/api/resources.ts";
import type { EndpointSlice, Service } from "../../../src/api/types.ts";
import { planServices, type Packet } from "../../../src/decide/proxy/index.ts";
import { renderIptables } from "../../../src/decide/proxy/render/iptables/render.ts";
import { traceIptables } from "../../../src/decide/proxy/render/iptables/trace.ts";
import { renderNftables, traceNftables, type RulesTrace } from "../../../src/decide/proxy/render/nftables-trace.ts";
import { inOwnNetwork } from "../../support/own-network.ts";
import { parseIptablesSave } from "./iptables-save.ts";
import { apply, makeNetwork, marker, planNode, startApi, textOf } from "./rounds.ts";
import { readTable, traceNftJson } from "./nft-json.ts";
import { localhostPackets, nodeAddresses, nodeName, packetsFor, podCIDRs, serviceRange, state, type State } from "./states.ts";

type Mode = "iptables" | "nftables";

const { values: flags } = parseArgs({
  options: {
    "kube-proxy": { type: "string", default: process.env["KUBE_PROXY"] ?? "" },
    mode: { type: "string", default: "iptables" },
    states: { type: "string", default: "500" },
    seed: { type: "string", default: "1" },
    /** NodePorts on every address, at localhost too (mode iptables), as without --nodeport-addresses. */
    everywhere: { type: "boolean", default: false },
    "masquerade-all": { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});
inOwnNetwork();
const mode = flags.mode as Mode;

function command(program: string, ...args: string[]): string {
  const done = spawnSync(program, args, { encoding: "utf8", maxBuffer: 256 << 20 });
  if (done.status !== 0) throw new Error(`${program} ${args.join(" ")}: ${done.stderr || done.error?.message}`);
  return done.stdout;
}

function startKubeProxy(kubeconfig: string): ChildProcess {
  const child = spawn(
    flags["kube-proxy"],
    [
      `--kubeconfig=${kubeconfig}`,
      `--proxy-mode=${mode}`,
      `--hostname-override=${nodeName}`,
      `--cluster-cidr=${podCIDRs.join(",")}`,
      "--iptables-min-sync-period=0",
      ...(flags.everywhere ? [] : ["--nodeport-addresses=primary"]),
      ...(flags["masquerade-all"] ? ["--masquerade-all"] : []),
      "--conntrack-max-per-core=0",
      "--oom-score-adj=0",
    ],
    { stdio: ["ignore", "ignore", flags.verbose ? "inherit" : "ignore"] },
  );
  return child;
}

/** What kube-proxy's rules do with a packet; undefined: they do not have the round's state yet. */
type Tracer = (packet: Packet) => RulesTrace;

function theirs(round: number): Tracer | undefined {
  const port = marker.firstPort + round;
  const addresses = Object.values(nodeAddresses);
  if (mode === "iptables") {
    const texts = { 4: command("iptables-save"), 6: command("ip6tables-save") };
    const has = (text: string, endpoint: string) =>
      text.includes(`--dport ${port} -j KUBE-SVC`) && text.includes(`--to-destination ${endpoint}`);
    if (!has(texts[4], `${marker.pod4}:${port}`) || !has(texts[6], `[${marker.pod6}]:${port}`)) return undefined;
    const rules = { 4: parseIptablesSave(texts[4], 4), 6: parseIptablesSave(texts[6], 6) };
    return (packet) => traceIptables(rules[packet.to.includes(":") ? 6 : 4], { addresses }, packet);
  }
  const text = command("nft", "-j", "list", "ruleset");
  const has = (ip: string, pod: string) =>
    new RegExp(`"${ip}", "tcp", ${port}\\]`).test(text) && new RegExp(`"${pod}", ${port}\\]`).test(text);
  if (!has(marker.ip4, marker.pod4) || !has(marker.ip6, marker.pod6)) return undefined;
  const listing = JSON.parse(text) as Parameters<typeof readTable>[0];
  const tables = { 4: readTable(listing, "ip", "kube-proxy"), 6: readTable(listing, "ip6", "kube-proxy") };
  return (packet) => traceNftJson(tables[packet.to.includes(":") ? 6 : 4], packet, addresses);
}

function ours(services_: readonly Service[], slices: readonly EndpointSlice[]): Tracer {
  const plan = planServices(services_, slices, planNode, { masqueradeAll: flags["masquerade-all"] });
  if (mode === "nftables") {
    const rules = renderNftables(plan.services, { node: planNode, serviceCIDRs: serviceRange.split(",") });
    return (packet) => traceNftables(rules, planNode, packet);
  }
  const options = { node: planNode, nodePortsEverywhere: flags.everywhere, localhostNodePorts: true };
  const rules = {
    4: renderIptables(plan.services, { ...options, family: 4 }),
    6: renderIptables(plan.services, { ...options, family: 6 }),
  };
  return (packet) => traceIptables(rules[packet.to.includes(":") ? 6 : 4], planNode, packet);
}

/** Where we mean to differ, by name; docs/cli/proxy.md has the reasons. */
function knownDifference(one: State, { to }: Packet, [a, b]: readonly [RulesTrace, RulesTrace]): string | undefined {
  const family = to.includes(":");
  for (const { spec, status } of one.services) {
    if (!(status?.loadBalancer?.ingress ?? []).some(({ ip }) => ip === to)) continue;
    const ranges = spec?.loadBalancerSourceRanges ?? [];
    if (ranges.length > 0 && ranges.every((range) => range.includes(":") !== family)) return "SourceRangesOfOtherFamily";
    // Its two modes differ here; we do as its mode iptables, in every mode.
    if (mode === "nftables" && ranges.length > 0 && a.kind === "reject" && b.kind === "drop") return "RefusedBeforeSourceRanges";
  }
  return undefined;
}

interface Difference {
  readonly state: number;
  readonly packet: Packet;
  readonly ours: string;
  readonly theirs: string;
}

async function main(): Promise<number> {
  makeNetwork();
  const cluster = await startApi();
  const kubeProxy = startKubeProxy(cluster.kubeconfig);
  let ended: string | undefined;
  kubeProxy.once("exit", (code, signal) => (ended = `kube-proxy ended (${code ?? signal})`));
  const differences: Difference[] = [];
  let packets = 0;
  let fewest = Number.POSITIVE_INFINITY;
  const wanted = fc.sample(state, { numRuns: Number(flags.states), seed: Number(flags.seed) });
  const verdicts: Record<string, number> = {};
  const known: Record<string, number> = {};
  try {
    for (const [round, one] of wanted.entries()) {
      await apply(cluster.client, one, round);
      const [allServices, allSlices] = [await cluster.client.list(services), await cluster.client.list(endpointSlices)];
      const mine = ours(allServices.items, allSlices.items);
      const questions = [...packetsFor(one), ...(flags.everywhere ? localhostPackets(one) : [])];
      packets += questions.length;
      fewest = Math.min(fewest, questions.length);
      let tracer = theirs(round);
      while (tracer === undefined) {
        if (ended !== undefined) throw new Error(ended);
        await new Promise((resolve) => setTimeout(resolve, 25));
        tracer = theirs(round);
      }
      for (const packet of questions) {
        const [a, b] = [mine(packet), tracer(packet)];
        verdicts[b.kind] = (verdicts[b.kind] ?? 0) + 1;
        if (textOf(a) === textOf(b)) continue;
        const name = knownDifference(one, packet, [a, b]);
        if (name === undefined) differences.push({ state: round, packet, ours: textOf(a), theirs: textOf(b) });
        else known[name] = (known[name] ?? 0) + 1;
      }
      if (flags.verbose && differences.some((found) => found.state === round)) console.error(JSON.stringify(one));
    }
  } finally {
    kubeProxy.kill("SIGKILL");
    await cluster.stop();
  }
  console.log(
    JSON.stringify(
      {
        mode,
        states: wanted.length,
        packets,
        fewestPackets: fewest,
        verdicts,
        known,
        differences: differences.length,
        first: differences.slice(0, 12),
      },
      null,
      2,
    ),
  );
  return differences.length === 0 ? 0 : 1;
}

process.exit(await main());
