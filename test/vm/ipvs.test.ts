/**
 * ipvs mode with real packets. The machines that run this have no IPVS in their kernel, so one is booted that has (user-mode-linux), and
 * everything is checked in one boot, by `ipvs-program.ts`.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { missingVm, runInVm, type VmRun } from "./boot.ts";
import { ipvsModules } from "./kernel-modules.ts";

const missing = missingVm();
const group = missing === undefined ? describe : undefined;
if (missing !== undefined) test("ipvs mode in a kernel that has IPVS", (context) => context.skip(missing));

group?.("ipvs mode in a kernel that has IPVS", { timeout: 300_000 }, () => {
  let run: VmRun;
  let results: Readonly<Record<string, { readonly problems: readonly string[]; readonly ms: number; readonly note?: string }>>;
  beforeAll(async () => {
    run = await runInVm({ program: "test/vm/ipvs-program.ts", kernelModules: ipvsModules, memoryMiB: 512, timeoutMs: 280_000 });
    results = JSON.parse(run.results ?? "{}") as typeof results;
  }, 300_000);

  const names = {
    table: "the kernel's tables are what is rendered",
    packets: "each client at each address: endpoint and source as the rules say",
    affinity: "a client keeps its endpoint",
    draining: "an endpoint that leaves keeps its connections and gets no new ones",
    restart: "a restart of the proxy disturbs nothing",
    "stale UDP": "a UDP client with one port follows the endpoint that replaces its own",
    schedulers: "how each scheduler spreads its flows",
    "by connections": "the schedulers that count connections",
    gone: "an endpoint without connections is taken away, also by the next proxy",
  };
  test.each(Object.entries(names))("%s: %s", (name) => {
    const result = results[name];
    if (result === undefined) expect.fail(`not checked. The machine said:\n${run.console}`);
    console.log(`test/vm: ${name}: ${result.ms} ms${result.note === undefined ? "" : `, ${result.note}`}`);
    expect(result.problems).toEqual([]);
  });
});
