/**
 * The real kube-proxy's ipvs mode and ours on the same random cluster states. Needs `KUBE_PROXY`, the program (`test/peers/README.md` says
 * how it is built); a few states here, as many as one likes by `compare-kube-proxy.ts`.
 */
import { describe, expect, test } from "vitest";
import { missingVm, runInVm } from "./boot.ts";
import { ipvsModules } from "./kernel-modules.ts";

const program = process.env["KUBE_PROXY"] ?? "";
const missing = program === "" ? "needs the real kube-proxy: KUBE_PROXY" : missingVm();
const group = missing === undefined ? describe : undefined;
if (missing !== undefined) test("ipvs mode beside the real kube-proxy", (context) => context.skip(missing));

group?.("ipvs mode beside the real kube-proxy", () => {
  test("the same verdicts and the same virtual servers", { timeout: 900_000 }, async () => {
    const run = await runInVm({
      program: "test/vm/kube-proxy-program.ts",
      kernelModules: ipvsModules,
      memoryMiB: 1024,
      timeoutMs: 880_000,
      env: { KUBE_PROXY: program, STATES: "3", SEED: "1" },
    });
    if (run.results === undefined) expect.fail(run.console);
    const report = JSON.parse(run.results) as { states: number; packets: number; differences: number; tableDifferences: number };
    console.log(`test/vm: kube-proxy: ${report.states} states, ${report.packets} packets`);
    expect(report).toMatchObject({ states: 3, differences: 0, tableDifferences: 0 });
    expect(report.packets).toBeGreaterThan(120);
  });
});
