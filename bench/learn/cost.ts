/** Lookup and update cost by number of Services and mode; see README.md beside this file. Prints one table. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { EndpointSlice, Service } from "../../src/api/types.ts";
import { planService, type PlanNode, type ServicePlan } from "../../src/decide/proxy/index.ts";
import { renderIptables } from "../../src/decide/proxy/render/iptables/render.ts";
import { restoreText } from "../../src/decide/proxy/render/iptables/text.ts";
import { renderIpvs } from "../../src/decide/proxy/render/ipvs/render.ts";
import { ipvsText } from "../../src/decide/proxy/render/ipvs/text.ts";
import { renderNftables } from "../../src/decide/proxy/render/nftables-trace.ts";
import { rulesetText } from "../../src/lib/nftables/text.ts";

const { values } = parseArgs({ options: { services: { type: "string", default: "100,1000,10000" } } });
const node: PlanNode = { name: "node-1", addresses: ["10.250.0.1"], nodePortAddresses: ["10.250.0.1"], clusterCIDRs: ["10.128.0.0/9"] };
const rounds = 5;
const directory = mkdtempSync(join(tmpdir(), "fairlead-bench-"));

process.stdout.write("Services × 3 | mode | compared | one more, lines | one more, ms\n");
try {
  for (const count of values.services.split(",").map(Number)) {
    const [before, after] = [plans(count), plans(count + 1)];
    row(count, "iptables", { ...iptablesCounts(after), milliseconds: iptablesTime(before, after) });
    row(count, "ipvs", { compared: 0, lines: added(ipvs(before), ipvs(after)).length, milliseconds: undefined });
    row(count, "nftables", { compared: 0, lines: added(nftables(before), nftables(after)).length, milliseconds: nftablesTime(count) });
  }
} finally {
  rmSync(directory, { recursive: true });
}

interface Cost {
  readonly compared: number;
  readonly lines: number;
  /** Undefined: not timed here. */
  readonly milliseconds: number | undefined;
}

function row(count: number, mode: string, { compared, lines, milliseconds }: Cost): void {
  process.stdout.write(`${count} | ${mode} | ${compared} | ${lines} | ${milliseconds?.toFixed(2) ?? "-"}\n`);
}

function plans(count: number): readonly ServicePlan[] {
  return Array.from({ length: count }, (_, i) => planService(service(i), [slice(i)], node));
}

function service(i: number): Service {
  const ip = `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
  return {
    metadata: { namespace: "default", name: `service-${i}` },
    spec: { type: "ClusterIP", clusterIP: ip, clusterIPs: [ip], ports: [{ port: 80, protocol: "TCP" }] },
  };
}

function slice(i: number): EndpointSlice {
  const address = (n: number) => `10.${128 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
  return {
    metadata: { namespace: "default", name: `service-${i}-1`, labels: { "kubernetes.io/service-name": `service-${i}` } },
    addressType: "IPv4",
    endpoints: [0, 1, 2].map((k) => ({ addresses: [address(3 * i + k)], nodeName: "node-2", conditions: { ready: true } })),
    ports: [{ name: "", port: 8080, protocol: "TCP" }],
  };
}

function iptables(services: readonly ServicePlan[]): readonly string[] {
  return lines(restoreText(renderIptables(services, { node, family: 4 })));
}

function ipvs(services: readonly ServicePlan[]): readonly string[] {
  return lines(ipvsText(renderIpvs(services, { node, family: 4, scheduler: "rr" })));
}

function nftables(services: readonly ServicePlan[]): readonly string[] {
  return lines(rulesetText(renderNftables(services, { node, serviceCIDRs: ["10.96.0.0/12"] })));
}

/** Lists' ends look otherwise than their middles. */
function lines(text: string): readonly string[] {
  return text.split("\n").map((line) =>
    line
      .trim()
      .replace(/( \}|,)$/, "")
      .replace(/^elements = \{ /, ""),
  );
}

function added(before: readonly string[], after: readonly string[]): readonly string[] {
  const known = new Set(before);
  return after.filter((line) => !known.has(line));
}

function iptablesCounts(services: readonly ServicePlan[]): Omit<Cost, "milliseconds"> {
  const rules = iptables(services);
  const list = rules.filter((line) => line.startsWith("-A KUBE-SERVICES "));
  const last = `default/service-${services.length - 1} `;
  return { compared: list.findIndex((line) => line.includes(last)) + 1, lines: rules.filter((line) => line.startsWith("-A ")).length };
}

/** `iptables-restore` in a namespace of its own: the whole, then what was added, timed. */
function iptablesTime(before: readonly ServicePlan[], after: readonly ServicePlan[]): number | undefined {
  if (process.getuid?.() !== 0 || spawnSync("iptables-restore", ["--version"]).status !== 0) return undefined;
  const [all, more] = [join(directory, "all"), join(directory, "more")];
  writeFileSync(all, `${iptables(before).join("\n")}\n`);
  const fresh = added(iptables(before), iptables(after));
  const chains = fresh.filter((line) => line.startsWith(":"));
  writeFileSync(more, `*nat\n${[...chains, ...fresh.filter((line) => line.startsWith("-A "))].join("\n")}\nCOMMIT\n`);
  const times = Array.from({ length: rounds }, () => inNamespace(all, more));
  return times.sort((a, b) => a - b)[Math.floor(rounds / 2)];
}

function inNamespace(all: string, more: string): number {
  const script = `iptables-restore < ${all} && began=$(date +%s%N) && iptables-restore --noflush < ${more} && echo $(( $(date +%s%N) - began ))`;
  const done = spawnSync("unshare", ["-n", "sh", "-c", script], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(done.stderr);
  return Number(done.stdout) / 1e6;
}

function nftablesTime(count: number): number | undefined {
  const load = join(import.meta.dirname, "../proxy/load.ts");
  const done = spawnSync("unshare", ["-n", process.execPath, load, "netlink", String(count)], { encoding: "utf8", maxBuffer: 16 << 20 });
  if (done.status !== 0) return undefined;
  return (JSON.parse(done.stdout) as { changeUs: { p50: number } }).changeUs.p50 / 1000;
}
