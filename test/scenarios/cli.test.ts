/** The program itself, as processes: start in the background, status, explain, restart with its data, kill -9, and nothing left. */
import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ClusterReport } from "../../src/cli/report.ts";

const root = join(import.meta.dirname, "../..");
let home: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "fairlead-home-"));
});
afterAll(async () => {
  await fairlead("down", "--all");
  rmSync(home, { recursive: true, force: true });
});

interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const environment = () => ({ ...process.env, HOME: home, XDG_DATA_HOME: join(home, "data"), CI: "true", NO_COLOR: "1" });

function fairlead(...args: string[]): Promise<Output> {
  return new Promise((resolve) => {
    execFile("sh", [join(root, "bin/fairlead"), ...args], { env: environment(), timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : -1, stdout, stderr });
    });
  });
}

const webapp = join(root, "examples/webapp");

test("up --detach, status, explain, logs, down; the data and the ClusterIP survive", { timeout: 90_000 }, async () => {
  const up = await fairlead("up", "--detach", "--name", "shop", "-f", webapp, "-o", "json", "--api-port", "0");
  expect(up.stderr).toContain("runs in the background");
  const report = JSON.parse(up.stdout) as ClusterReport;
  expect(report.pods.filter(({ ready }) => !ready)).toEqual([]);
  expect(report.pods.filter(({ name }) => name.startsWith("webapp-"))).toHaveLength(3);
  expect(report.requests.filter(({ sent, succeeded }) => succeeded < sent)).toEqual([]);
  expect(report.requests.some(({ sent, answers }) => sent === 24 && answers.length === 3)).toBe(true);
  expect(report.names.filter(({ rcode }) => rcode !== "NOERROR")).toEqual([]);

  const status = JSON.parse((await fairlead("status", "--name", "shop", "-o", "json")).stdout) as ClusterReport;
  expect(status.services).toEqual(report.services);
  expect((await fairlead("explain", "svc", "webapp", "-n", "shop", "--name", "shop")).stdout).toContain("3 of 3 pods");
  expect((await fairlead("explain", "svc", "none", "-n", "shop", "--name", "shop")).code).toBe(1);
  expect((await fairlead("logs", "deployment/webapp", "-n", "shop", "--name", "shop")).stdout.match(/serves http/g)).toHaveLength(3);
  expect((await fairlead("up", "--name", "shop")).stderr).toContain("[FL_ALREADY_RUNNING]");
  expect((await fairlead("status", "--all")).stdout).toContain("shop");
  const bundle = join(home, "bundle.tar.gz");
  expect((await fairlead("debug", "bundle", "--name", "shop", "--file", bundle)).stdout).toBe(`${bundle}\n`);
  const listed = execFileSync("tar", ["tzf", bundle], { encoding: "utf8" });
  for (const file of ["about.json", "report.json", "api/metrics.txt", "objects/services.yaml", "objects/secrets.yaml"])
    expect(listed).toContain(`fairlead-bundle/${file}\n`);
  const { certificate } = JSON.parse((await fairlead("trust", "--name", "shop", "-o", "json")).stdout) as { certificate: string };
  expect(readFileSync(certificate, "utf8")).toContain("BEGIN CERTIFICATE");

  expect((await fairlead("down", "--name", "shop")).code).toBe(0);
  expect((await fairlead("status", "--name", "shop")).stderr).toContain("[FL_NOT_RUNNING]");
  const again = JSON.parse((await fairlead("up", "--detach", "--name", "shop", "-o", "json", "--api-port", "0")).stdout) as ClusterReport;
  expect(again.services.map(({ name, clusterIP }) => [name, clusterIP])).toEqual(
    report.services.map(({ name, clusterIP }) => [name, clusterIP]),
  );
  expect(again.pods.map(({ name, ready }) => [name, ready])).toEqual(report.pods.map(({ name }) => [name, true]));
  expect((await fairlead("down", "--name", "shop", "--delete-data")).code).toBe(0);
});

/** Processes whose environment names this test's directory: Fairlead's and its pods'. */
function ours(): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        readFileSync(`/proc/${pid}/environ`, "latin1").includes(home) &&
        readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.[0] !== "Z"
      );
    } catch {
      return false; // gone meanwhile, or another user's
    }
  });
}

test("--ephemeral leaves nothing behind, neither after SIGINT nor after kill -9", { timeout: 60_000 }, async () => {
  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    const child = spawn(
      "sh",
      [join(root, "bin/fairlead"), "up", "--ephemeral", "--name", "brief", "-f", webapp, "--no-check", "--api-port", "0"],
      { env: { ...environment(), TMPDIR: home }, stdio: ["ignore", "pipe", "pipe"] },
    );
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    await expect.poll(() => output, { timeout: 20_000 }).toContain("export KUBECONFIG=");
    expect(ours().length).toBeGreaterThan(0);
    child.kill(signal);
    await expect.poll(ours, { timeout: 10_000 }).toEqual([]);
    const left = readdirSync(home).filter((name) => name.startsWith("fairlead-brief-"));
    // After kill -9 the directory stays, as nobody is there to remove it; no process does.
    expect(left).toHaveLength(signal === "SIGINT" ? 0 : 1);
  }
});

test(
  "--watch follows the files: what changes is applied, what is taken out is deleted, what is broken is told",
  { timeout: 60_000 },
  async () => {
    const file = join(home, "app.yaml");
    const config = (name: string, value: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {key: "${value}"}\n`;
    writeFileSync(file, `${config("one", "a")}---\n${config("two", "a")}`);
    const child = spawn(
      "sh",
      [join(root, "bin/fairlead"), "up", "--ephemeral", "--name", "follow", "-f", file, "--watch", "--api-port", "0"],
      { env: environment(), stdio: ["ignore", "ignore", "pipe"] },
    );
    let output = "";
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    await expect.poll(() => output, { timeout: 20_000 }).toContain("Watching ");
    writeFileSync(file, `${config("one", "b")}`);
    await expect.poll(() => output, { timeout: 10_000 }).toMatch(/ConfigMap default\/one configured[\s\S]*ConfigMap default\/two deleted/);
    writeFileSync(file, "kind: [");
    await expect.poll(() => output, { timeout: 10_000 }).toContain(`${file}:1:`);
    child.kill("SIGTERM");
    await new Promise((resolve) => child.once("exit", resolve));
  },
);

test("mistakes on the command line end with code 2 and say what to do", async () => {
  const bad = await fairlead("up", "--service-cluster-ip-range", "nonsense");
  expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining("no address range")]);
  expect((await fairlead("up", "--disable", "gravity", "--ephemeral")).stderr).toMatch(/gravity: no such part[\s\S]*Parts: dns, proxy/);
  expect((await fairlead("up", "-f", "nowhere.yaml")).stderr).toContain("nowhere.yaml: no such file or directory");
  expect((await fairlead("--help")).stdout).toContain("fairlead explain svc web");
});

test("the documents' own range: Services in 169.169.0.0/16 are reached by pods", { timeout: 60_000 }, async () => {
  const up = await fairlead(
    "up",
    "--mode",
    "loopback",
    "--detach",
    "--ephemeral",
    "--name",
    "seed",
    "-f",
    webapp,
    "--service-cluster-ip-range",
    "169.169.0.0/16",
    "--cluster-dns",
    "169.169.0.100",
    "--no-check",
    "-o",
    "json",
    "--api-port",
    "0",
  );
  const report = JSON.parse(up.stdout) as ClusterReport;
  const address = report.services.find(({ name }) => name === "webapp")?.clusterIP ?? "";
  expect(address).toMatch(/^169\.169\./);
  expect(report.problems.join("\n")).toContain("only pods reach them");
  expect((await fairlead("down", "--name", "seed")).code).toBe(0);
});
