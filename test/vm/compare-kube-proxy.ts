/**
 * The real kube-proxy in mode ipvs and ours, on the same random cluster states, in a kernel that has IPVS:
 * `sh bin/node test/vm/compare-kube-proxy.ts --kube-proxy FILE --states 500`. Prints JSON; exit code 1: they differ. A state takes ten
 * seconds and more there, as kube-proxy starts some 400 processes for it, `ipset` once for each set and entry: `--minutes` ends it sooner.
 */
import { parseArgs } from "node:util";
import { missingVm, runInVm } from "./boot.ts";
import { ipvsModules } from "./kernel-modules.ts";

const { values: flags } = parseArgs({
  options: {
    "kube-proxy": { type: "string", default: process.env["KUBE_PROXY"] ?? "" },
    states: { type: "string", default: "500" },
    seed: { type: "string", default: "1" },
    /** No further state is begun after so long. */
    minutes: { type: "string", default: "600" },
    verbose: { type: "boolean", default: false },
  },
});
const missing = missingVm();
if (missing !== undefined || flags["kube-proxy"] === "") {
  console.error(missing ?? "needs the real kube-proxy: --kube-proxy FILE or KUBE_PROXY");
  process.exit(2);
}
const { results, console: said } = await runInVm({
  program: "test/vm/kube-proxy-program.ts",
  kernelModules: ipvsModules,
  memoryMiB: 1024,
  timeoutMs: 120_000 + Number(flags.states) * 60_000,
  env: {
    KUBE_PROXY: flags["kube-proxy"],
    STATES: flags.states,
    SEED: flags.seed,
    MINUTES: flags.minutes,
    ...(flags.verbose ? { VERBOSE: "1" } : {}),
  },
  ...(flags.verbose ? { onConsole: (text: string) => void process.stderr.write(text) } : {}),
});
if (results === undefined) {
  console.error(said);
  process.exit(1);
}
const report = JSON.parse(results) as { readonly differences: number; readonly tableDifferences: number; readonly error?: string };
console.log(JSON.stringify(report, null, 2));
process.exit(report.differences + report.tableDifferences > 0 || report.error !== undefined ? 1 : 0);
