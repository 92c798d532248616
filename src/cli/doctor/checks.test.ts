import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ToolAnswer } from "../../host/tool.ts";
import { askTool } from "../../host/tool.ts";
import type { ClusterFile } from "../cluster-file.ts";
import { machineChecks, type CheckSurroundings } from "./checks.ts";

const kubectl = (gitVersion: string): ToolAnswer => ({ kind: "ok", output: JSON.stringify({ clientVersion: { gitVersion } }) });

async function check(id: string, around: Partial<CheckSurroundings> = {}) {
  const checks = await machineChecks({
    nodeVersion: "v26.10.0",
    kubernetesVersion: "1.36.0",
    dataHome: tmpdir(),
    ask: async () => ({ kind: "missing" }),
    clusters: () => [],
    ...around,
  });
  return checks.find((one) => one.id === id);
}

test.each([
  ["v26.10.0", true],
  ["v24.0.0", true],
  ["v22.12.0", false],
  ["nonsense", false],
])("Node %s: %s", async (nodeVersion, ok) => expect(await check("node", { nodeVersion })).toMatchObject({ ok }));

test.each([
  [kubectl("v1.36.3"), true, "kubectl v1.36.3"],
  [kubectl("v1.35.0"), true, "kubectl v1.35.0"],
  [kubectl("v1.37.0"), true, "kubectl v1.37.0"],
  [kubectl("v1.34.9"), false, "more than one minor version away"],
  [{ kind: "missing" }, false, "without kubectl"],
  [{ kind: "ok", output: "v1.36" }, false, "does not say"],
  [{ kind: "failed", message: "timeout" }, false, "does not say"],
] as const)("kubectl: %j", async (answer, ok, why) => {
  const found = await check("kubectl", { ask: async () => answer });
  expect(found).toMatchObject({ ok });
  expect(found?.why).toContain(why);
});

test("the disk is looked at where the data will be, which need not exist yet", async () => {
  const directory = mkdtempSync(join(tmpdir(), "doctor-"));
  expect((await check("disk", { dataHome: join(directory, "a/b/c") }))?.why).toContain(`below ${directory}`);
  rmSync(directory, { recursive: true });
  expect(await check("disk", { dataHome: "/proc/nowhere" })).toMatchObject({ ok: false });
});

test("running clusters are named", async () => {
  const cluster = { name: "shop", mode: "loopback" } as ClusterFile;
  expect((await check("clusters", { clusters: () => [cluster] }))?.why).toContain("shop (loopback)");
  expect((await check("clusters"))?.why).toContain("no cluster");
});

test("a program is asked without a shell, and its absence is an answer", async () => {
  expect(await askTool(process.execPath, ["-p", "'$HOME'"])).toEqual({ kind: "ok", output: "$HOME\n" });
  expect(await askTool("no-such-program", [])).toEqual({ kind: "missing" });
  expect(await askTool(process.execPath, ["-e", "process.exit(3)"])).toMatchObject({ kind: "failed" });
});
