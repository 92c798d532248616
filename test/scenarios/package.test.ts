/** The packed package, installed in an empty folder: the program runs by npx, the testing library by import, its types check. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ClusterReport } from "../../src/cli/report.ts";
import { repository, runProgram } from "../support/program.ts";

let directory: string;
let missing: string | undefined;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "fairlead-package-"));
  const staging = join(directory, "staging");
  const manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as { files: string[] };
  mkdirSync(staging);
  for (const name of ["package.json", ...manifest.files.filter((file) => file !== "dist")])
    cpSync(join(repository, name), join(staging, name), { recursive: true });
  execFileSync(process.execPath, [join(repository, "scripts/build.ts"), "--types", "--out", join(staging, "dist")], { stdio: "pipe" });
  execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", directory], { cwd: staging, stdio: "pipe" });
  const home = join(directory, "home");
  mkdirSync(home);
  writeFileSync(join(home, "package.json"), `{ "name": "user", "private": true, "type": "module" }\n`);
  const version = (JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as { version: string }).version;
  const install = await runProgram(
    "npm",
    ["install", "--prefer-offline", "--no-audit", "--no-fund", join(directory, `fairlead-${version}.tgz`)],
    { cwd: home, timeout: 240_000 },
  );
  if (install.code !== 0) missing = `npm cannot install here: ${install.stderr.trim().split("\n")[0]}`;
}, 300_000);

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const environment = () => ({
  ...process.env,
  HOME: join(directory, "home"),
  XDG_DATA_HOME: join(directory, "data"),
  CI: "true",
  NO_COLOR: "1",
});

test("npx fairlead up runs the example and leaves nothing", { timeout: 120_000 }, async (context) => {
  if (missing !== undefined) return context.skip(missing);
  const home = join(directory, "home");
  const up = await runProgram(
    "npx",
    [
      "fairlead",
      "up",
      "--detach",
      "--ephemeral",
      "--name",
      "packed",
      "--api-port",
      "0",
      "-o",
      "json",
      "-f",
      "node_modules/fairlead/examples/webapp",
    ],
    { cwd: home, env: environment() },
  );
  expect([up.code, up.stderr]).toEqual([0, expect.stringContaining("runs in the background")]);
  const report = JSON.parse(up.stdout) as ClusterReport;
  expect(report.pods.every(({ ready }) => ready)).toBe(true);
  expect(report.requests.every(({ sent, succeeded }) => sent === succeeded)).toBe(true);
  expect((await runProgram("npx", ["fairlead", "down", "--name", "packed"], { cwd: home, env: environment() })).code).toBe(0);
});

const script = `
import { createServer } from "node:http";
import { startCluster } from "fairlead/testing";
const manifests = \`
apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec: { containers: [{ name: web, image: greeter, ports: [{ containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
\`;
const functions = { greeter: () => createServer((_, response) => response.end("hello")) };
const cluster = await startCluster({ manifests, functions });
await cluster.untilReady("service/web");
console.log(await (await cluster.fetch("http://web")).text());
await cluster.stop();
`;

test("import { startCluster } runs, and its types check", { timeout: 120_000 }, async (context) => {
  if (missing !== undefined) return context.skip(missing);
  const home = join(directory, "home");
  writeFileSync(join(home, "user.ts"), script);
  const ran = await runProgram(process.execPath, ["user.ts"], { cwd: home, env: environment() });
  expect([ran.stdout.trim(), ran.stderr]).toEqual(["hello", ""]);
  const options = [
    "--noEmit",
    "--strict",
    "--module",
    "nodenext",
    "--target",
    "esnext",
    "--skipLibCheck",
    "false",
    "--types",
    "node",
    "--typeRoots",
    join(repository, "node_modules/@types"),
  ];
  const checked = await runProgram(process.execPath, [join(repository, "node_modules/typescript/bin/tsc"), ...options, "user.ts"], {
    cwd: home,
  });
  expect(checked.stdout).toBe("");
});
