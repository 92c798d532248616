/**
 * What runs in the virtual machine: two nodes with the proxy in mode ipvs, pods and an outside client, and real packets. Writes what each
 * check found; `ipvs.test.ts` has the names. Not a test file: there is no vitest in there, which would cost more than the checks.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { startRig } from "../root/proxy-rig.ts";
import { checks, testRange, type Check } from "./ipvs-checks.ts";

const file = process.argv[2] as string;
const results: Record<string, { readonly problems: readonly string[]; readonly ms: number; readonly note?: string }> = {};

async function run(name: string, check: () => Promise<Check>): Promise<void> {
  const started = performance.now();
  try {
    const { problems, note } = await check();
    results[name] = { problems, ms: Math.round(performance.now() - started), ...(note === undefined ? {} : { note }) };
  } catch (error) {
    results[name] = {
      problems: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
      ms: Math.round(performance.now() - started),
    };
  }
  console.log(`${name}: ${JSON.stringify(results[name])}`);
  // After each, so that a machine that hangs tells where.
  writeFileSync(file, JSON.stringify(results));
}

execFileSync("busybox", ["sysctl", "-qw", "net.netfilter.nf_conntrack_max=262144"]);
const rig = await startRig("ipvs", { ipvs: { drainIntervalMs: 500, excludeCIDRs: [testRange] } });
for (const [name, check] of Object.entries(checks)) await run(name, () => check(rig));
await rig.stop();
process.exit(0);
