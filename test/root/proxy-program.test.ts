/** `fairlead proxy` as a program of its own, against an API server, in network namespaces: what clients notice of its life. */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { unsupported } from "./proxy-rig.ts";

interface Phase {
  readonly connections: number;
  readonly failed: number;
}
interface Report {
  readonly rolling: Phase;
  readonly restart: Phase;
  readonly kill: Phase;
  readonly deadEndpoint: Phase & { readonly share: number };
  readonly udpFollowsMs: readonly number[];
  readonly deletedByHand: { readonly backMs: number | null; readonly foreignStands: boolean };
}

/** Few connections, and a grace that a busy machine can keep: `bench/proxy` has the figures at 1,000 a second. */
function run(mode: string): Promise<{ readonly report: Report | undefined; readonly said: string }> {
  return new Promise((resolve) => {
    const script = join(import.meta.dirname, "../../bench/proxy/undisturbed.ts");
    const child = spawn(process.execPath, [script, "--mode", mode, "--rate", "150", "--step-ms", "700"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, said] = ["", ""];
    child.stdout.on("data", (chunk) => (out += String(chunk)));
    child.stderr.on("data", (chunk) => (said += String(chunk)));
    child.once("close", () => resolve({ report: out === "" ? undefined : (JSON.parse(out) as Report), said }));
  });
}

test.for(["nftables", "iptables"])(
  "nothing is disturbed by replacement, restart, kill or meddling, mode %s",
  { timeout: 240_000 },
  async (mode, context) => {
    const why =
      unsupported() || ["nft", mode === "iptables" ? "iptables-save" : "nft"].find((tool) => spawnSync(tool, ["--version"]).status !== 0);
    if (why !== undefined && why !== "") context.skip(why.includes(" ") ? why : `needs ${why}`);
    const { report, said } = await run(mode);
    expect(report, said).toMatchObject({ rolling: { failed: 0 }, restart: { failed: 0 }, kill: { failed: 0 } });
    const { deadEndpoint, udpFollowsMs, deletedByHand, rolling } = report as Report;
    expect(rolling.connections).toBeGreaterThan(100);
    // One of five does not listen: of n connections a fifth fails, give or take four standard deviations.
    const spread = 4 * Math.sqrt((0.2 * 0.8) / deadEndpoint.connections);
    expect(Math.abs(deadEndpoint.share - 0.2)).toBeLessThan(spread);
    expect(udpFollowsMs).toHaveLength(6);
    expect(deletedByHand).toMatchObject({ foreignStands: true, backMs: expect.any(Number) });
  },
);

test(
  "mode userspace: replacement and a restart beside the old one break nothing, a dead endpoint is passed over",
  { timeout: 240_000 },
  async (context) => {
    const why = unsupported() || (spawnSync("nft", ["--version"]).status === 0 ? "" : "needs nft");
    if (why !== "") context.skip(why);
    const { report, said } = await run("userspace");
    expect(report, said).toMatchObject({ rolling: { failed: 0 }, restart: { failed: 0 }, deadEndpoint: { failed: 0 } });
    const { udpFollowsMs, deletedByHand, rolling, kill } = report as Report;
    expect(rolling.connections).toBeGreaterThan(100);
    // Who was killed carried them; the next one carries those that come after.
    expect(kill.failed).toBeLessThan(kill.connections);
    expect(udpFollowsMs).toHaveLength(6);
    expect(deletedByHand).toMatchObject({ foreignStands: true, backMs: expect.any(Number) });
  },
);
