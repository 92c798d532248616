/** Random Services that come, change and go: what partial syncs leave in the kernel is what a full one makes in an empty one. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { planService } from "../../src/decide/proxy/index.ts";
import { node, serviceState, type ServiceState } from "../../src/decide/proxy/render/arbitrary.cases.ts";
import { listedProbability, probabilityOf } from "../../src/decide/proxy/render/iptables/endpoint-rules.ts";
import { openIptables } from "../../src/host/iptables/iptables.ts";
import { IptablesBackend } from "../../src/proxy/backends/iptables/apply.ts";

const missing =
  process.getuid?.() !== 0
    ? "needs root"
    : spawnSync("unshare", ["-n", "iptables-restore"], { input: "*nat\nCOMMIT\n" }).status === 0
      ? ""
      : "needs iptables and its kernel modules: apt-get install iptables";
const kernelTest = missing === "" ? test : undefined;
if (missing !== "") test("what partial syncs leave in the kernel", (context) => context.skip(missing));

const holders: ChildProcess[] = [];
afterEach(() => {
  for (const holder of holders.splice(0)) holder.kill();
});

/** A network namespace of its own, held open by a process that waits for its end. */
async function namespace(): Promise<readonly string[]> {
  const holder = spawn("unshare", ["-n", "sh", "-c", "echo ready; exec cat"], { stdio: ["pipe", "pipe", "inherit"] });
  holders.push(holder);
  await once(holder.stdout as NonNullable<typeof holder.stdout>, "data");
  return ["nsenter", `--net=/proc/${holder.pid}/ns/net`];
}

function saved(enter: readonly string[]): readonly string[] {
  const [program = "", ...args] = enter;
  return ["iptables-save", "ip6tables-save"].flatMap((save) => {
    const { status, stdout } = spawnSync(program, [...args, save], { encoding: "utf8" });
    expect(status).toBe(0);
    // Chains of Services stand in the order in which they came; within a chain the order is the rules'.
    const lines = stdout.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return lines.map((line) => line.replace(/ \[\d+:\d+\]$/, "")).sort((a, b) => compare(a.split(" ")[1] ?? a, b.split(" ")[1] ?? b));
  });
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const plan = ({ service, slices }: ServiceState) => planService(service, slices, node);

const change = fc.integer({ min: 1, max: 4 }).chain((n) => fc.tuple(fc.constant(n), fc.option(serviceState(n), { nil: undefined })));

kernelTest?.("partial syncs come to the same as a full one", { timeout: 300_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 2, maxLength: 8 }), async (history) => {
      const [changed, fresh] = [await namespace(), await namespace()];
      const backend = new IptablesBackend({ iptables: openIptables({ enter: changed }), node });
      const last = new Map<string, ReturnType<typeof plan> | undefined>();
      for (const [n, state] of history) {
        const next = state === undefined ? undefined : plan(state);
        await backend.apply(`default/service-${n}`, next);
        last.set(`default/service-${n}`, next);
      }
      const full = await new IptablesBackend({ iptables: openIptables({ enter: fresh }), node }).applyAll(
        [...last].map(([key, one]) => ({ key, plan: one })),
      );
      expect(full.map(({ kind }) => kind)).toEqual([...last].map(() => "applied"));
      expect(saved(changed)).toEqual(saved(fresh));
    }),
    { numRuns: 12 },
  );
});

kernelTest?.("the kernel lists a probability as we expect it to", { timeout: 60_000 }, () => {
  const asked = [2, 3, 7, 11, 100].map(probabilityOf);
  const rules = asked.map((one) => `-A INPUT -m statistic --mode random --probability ${one} -j ACCEPT`);
  const { stdout } = spawnSync("unshare", ["-n", "sh", "-c", "iptables-restore && iptables-save"], {
    input: `*filter\n${rules.join("\n")}\nCOMMIT\n`,
    encoding: "utf8",
  });
  expect([...stdout.matchAll(/--probability (\S+)/g)].map(([, listed]) => listed)).toEqual(asked.map(listedProbability));
});
