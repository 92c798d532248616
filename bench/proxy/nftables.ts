/** Measures the nftables backend against `nft -f` of the same rules; see README.md beside this file. Exits 0 whatever the figures are. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { services: { type: "string", default: "1000,10000,50000" }, rounds: { type: "string", default: "3" } },
});
const load = join(import.meta.dirname, "load.ts");

interface Measured {
  readonly coldMs: number;
  /** What all threads of the process have used, the kernel's work for them included: the better figure on a busy machine. */
  readonly coldCpuMs: { readonly user: number; readonly system: number };
  readonly longestSliceMs: number;
  readonly memoryMB: number;
  readonly changeUs: { readonly p50: number; readonly p99: number };
  readonly connectUs: { readonly direct: number; readonly first: number; readonly last: number };
  readonly withPlanUs: { readonly p50: number; readonly p99: number };
}

/** In a network namespace of its own, which is gone afterwards. As an ordinary user in a user namespace too. */
function inNamespace(program: string, ...args: string[]): string {
  const flags = process.getuid?.() === 0 ? ["-n"] : ["-Urn"];
  const done = spawnSync("unshare", [...flags, "--", program, ...args], { encoding: "utf8", maxBuffer: 16 << 20 });
  if (done.status !== 0) throw new Error(`${program} ${args.join(" ")}: ${done.stderr || done.error?.message}`);
  return done.stdout;
}

const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] as number;
const directory = mkdtempSync(join(tmpdir(), "fairlead-bench-"));
// As an ordinary user nft cannot send so much at once ("Message too long"); we send it in parts.
const hasNft = process.getuid?.() === 0 && spawnSync("nft", ["--version"]).status === 0;
if (!hasNft) console.log("no comparison: nft is not installed (apt-get install nftables), or this is not root");

console.log(
  "Services × 5 | cold ms | its CPU user, system | nft -f ms | ratio | longest slice ms | memory MB | one change µs p50 p99 | with plan µs p50 p99 | connect µs p50 direct, first, last | by nft -f ms | text MB",
);
for (const count of values.services.split(",")) {
  const runs: Measured[] = [];
  const peer: { cold: number; change: number }[] = [];
  const file = join(directory, "rules.nft");
  inNamespace(process.execPath, load, "text", count, file);
  for (let round = 0; round < Number(values.rounds); round++) {
    runs.push(JSON.parse(inNamespace(process.execPath, load, "netlink", count)) as Measured);
    if (hasNft) peer.push(byNft(file));
  }
  const of = (read: (run: Measured) => number) => median(runs.map(read));
  const cold = of((run) => run.coldMs);
  const nft = hasNft ? median(peer.map((one) => one.cold)) : Number.NaN;
  console.log(
    [
      count,
      cold,
      `${of((run) => run.coldCpuMs.user)} ${of((run) => run.coldCpuMs.system)}`,
      Math.round(nft),
      (nft / cold).toFixed(1),
      of((run) => run.longestSliceMs),
      of((run) => run.memoryMB),
      `${of((run) => run.changeUs.p50)} ${of((run) => run.changeUs.p99)}`,
      `${of((run) => run.withPlanUs.p50)} ${of((run) => run.withPlanUs.p99)}`,
      `${of((run) => run.connectUs.direct)} ${of((run) => run.connectUs.first)} ${of((run) => run.connectUs.last)}`,
      hasNft ? median(peer.map((one) => one.change)).toFixed(1) : "",
      (statSync(file).size / 1e6).toFixed(1),
    ].join(" | "),
  );
}
rmSync(directory, { recursive: true });

/** Loads the file, then replaces one endpoint twenty times, a process each: what a proxy that spawns `nft` pays. */
function byNft(file: string): { cold: number; change: number } {
  const change = join(directory, "change.nft");
  const element = "ip fairlead endpoints-tcp { 10.96.0.0 . 80 . 0x00000000";
  writeFileSync(change, `delete element ${element} }\nadd element ${element} : 10.128.0.9 . 8080 }\n`);
  const script = `
    const { spawnSync } = require("node:child_process");
    const nft = (file) => { const done = spawnSync("nft", ["-f", file], { encoding: "utf8" }); if (done.status !== 0) throw new Error(done.stderr); };
    const started = performance.now(); nft(process.argv[1]); const cold = performance.now() - started;
    const times = Array.from({ length: 20 }, () => { const t = performance.now(); nft(process.argv[2]); return performance.now() - t; });
    console.log(JSON.stringify({ cold, change: times.sort((a, b) => a - b)[10] }));`;
  return JSON.parse(inNamespace(process.execPath, "-e", script, file, change)) as { cold: number; change: number };
}
