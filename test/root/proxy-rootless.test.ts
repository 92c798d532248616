/** The same traffic as an ordinary user: a part of proxy.test.ts runs again as `nobody`, root only in a user namespace of its own. */
import { spawn, spawnSync } from "node:child_process";
import { chownSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const nobody = 65_534;
const asNobody = ["--reuid", String(nobody), "--regid", String(nobody), "--clear-groups", "--"];
const inside = ["-Urm", "--pid", "--fork", "--kill-child", "--mount-proc", "--"];

/** Why not here; empty: it can be tried. */
function unsupported(): string {
  if (process.getuid?.() !== 0) return "needs root, to become another user";
  if (spawnSync("setpriv", [...asNobody, "test", "-r", join(root, "package.json")]).status !== 0)
    return "needs setpriv, and a clone that the user nobody can read";
  return spawnSync("setpriv", [...asNobody, "unshare", ...inside, "true"]).status === 0 ? "" : "needs user namespaces for ordinary users";
}

test("an ordinary user's proxy carries TCP and UDP, IPv4 and IPv6", { timeout: 180_000 }, async (context) => {
  const why = unsupported();
  if (why !== "") return context.skip(why);
  const home = mkdtempSync(join(tmpdir(), "fairlead-rootless-"));
  chownSync(home, nobody, nobody);
  const report = join(home, "report.json");
  const vitest = [
    join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    "--configLoader",
    "runner",
    "--no-cache",
    "--reporter",
    "json",
    "--outputFile",
    report,
  ];
  const child = spawn(
    "setpriv",
    [
      ...asNobody,
      "unshare",
      ...inside,
      process.execPath,
      ...vitest,
      "test/root/proxy.test.ts",
      "-t",
      "cluster IP|hairpin|no endpoint|UDP|outside",
    ],
    { cwd: root, env: { ...process.env, HOME: home, TMPDIR: home, VITEST: "" }, stdio: ["ignore", "pipe", "pipe"] },
  );
  let [out, errors] = ["", ""];
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stderr.on("data", (chunk) => (errors += String(chunk)));
  const status = await new Promise((resolve) => child.once("close", resolve));
  expect(status, `${out}${errors}`).toBe(0);
  const { numPassedTests } = JSON.parse(readFileSync(report, "utf8")) as { numPassedTests: number };
  rmSync(home, { recursive: true });
  expect(numPassedTests).toBeGreaterThan(15);
});
