/**
 * The real kube-proxy beside ours on a few random cluster states; `test/peers/kube-proxy/compare.ts --states 500` is the whole.
 * Needs the binary of kube-proxy 1.36 in $KUBE_PROXY (`test/peers/build.ts` builds it).
 */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const kubeProxy = process.env["KUBE_PROXY"] ?? "";

function missing(mode: string): string {
  if (kubeProxy === "") return "needs kube-proxy: its path in $KUBE_PROXY";
  if (process.getuid?.() !== 0) return "needs root: kube-proxy wants it";
  const tool = mode === "iptables" ? "iptables-save" : "nft";
  return spawnSync(tool, ["--version"]).status === 0 ? "" : `needs ${tool}`;
}

function compare(mode: string): Promise<{ readonly status: number | null; readonly text: string }> {
  return new Promise((resolve) => {
    const script = join(import.meta.dirname, "kube-proxy/compare.ts");
    const child = spawn(process.execPath, [script, "--mode", mode, "--states", "4", "--seed", "7", "--kube-proxy", kubeProxy]);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += String(chunk)));
    child.once("close", (status) => resolve({ status, text }));
  });
}

test.for(["iptables", "nftables"])("every packet has kube-proxy's verdict, mode %s", { timeout: 180_000 }, async (mode, context) => {
  const why = missing(mode);
  if (why !== "") context.skip(why);
  const { status, text } = await compare(mode);
  expect([status, text]).toEqual([0, expect.stringContaining('"differences": 0')]);
});
