/** `fairlead proxy` beside others: one owner of a network's rules, what others have left, --cleanup, and what it says of itself. */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { unsupported } from "./proxy-rig.ts";

interface Report {
  readonly health: readonly number[];
  readonly mode: string;
  readonly metrics: readonly string[];
  readonly second: { readonly status: number | null; readonly said: string };
  readonly leftovers: string;
  readonly served: string;
  readonly cleaned: string;
  readonly foreign: string;
  readonly healthCheck: readonly (number | string)[];
  readonly deleted: readonly number[];
}

test("refuses a second one, takes over from kube-proxy's leftovers, cleans up after itself", { timeout: 240_000 }, async (context) => {
  const why = unsupported() || (["nft", "iptables-save"].find((tool) => spawnSync(tool, ["--version"]).status !== 0) ?? "");
  if (why !== "") context.skip(why.includes(" ") ? why : `needs ${why}`);
  const child = spawn("unshare", ["--net", "--", process.execPath, join(import.meta.dirname, "proxy-takeover-program.ts")], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, said] = ["", ""];
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stderr.on("data", (chunk) => (said += String(chunk)));
  await new Promise((done) => child.once("close", done));
  expect(out, said).not.toBe("");
  const report = JSON.parse(out) as Report;
  expect(report.health).toEqual([200, 200]);
  expect(report.mode).toBe("nftables");
  expect(report.metrics).toEqual([]);
  expect(report.second).toMatchObject({
    status: 1,
    said: expect.stringMatching(/another fairlead proxy makes the rules of this network \(process \d+, mode nftables\)/),
  });
  expect(report.leftovers, "kube-proxy's table and chains are gone").toBe("");
  expect(report.served).toContain("10.96.0.10 . tcp . 80");
  expect(report.healthCheck).toEqual([200, "1"]);
  expect(report.deleted, "a node that is being taken away: /healthz, /livez").toEqual([503, 200]);
  expect(report.cleaned).toBe("");
  expect(report.foreign).toContain("chain mine");
});
