import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  isRunning,
  processStart,
  readClusterFile,
  registryPath,
  removeClusterFile,
  runningClusters,
  unregister,
  writeClusterFile,
  type ClusterFile,
} from "./cluster-file.ts";
import { clusterPaths, clusterRoot, dataHome } from "./paths.ts";

let home: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "fairlead-cli-"));
  env = { XDG_DATA_HOME: home };
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const file = (name: string, pid = process.pid): ClusterFile => ({
  name,
  pid,
  processStart: processStart(pid) ?? "",
  startedAt: "2026-11-21T00:00:00Z",
  server: "https://127.0.0.1:6443",
  kubeconfig: "/nowhere",
  mode: "loopback",
  version: "0.1.0",
  ephemeral: false,
});

test("a running cluster is found by name, wherever its data is", () => {
  const path = clusterPaths(clusterRoot({ name: "b" }, env)).clusterFile;
  writeClusterFile(path, file("b"));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(runningClusters(env).map(({ name }) => name)).toEqual(["b"]);
  removeClusterFile(path);
  writeClusterFile(registryPath("a", env), file("a"));
  expect(runningClusters(env).map(({ name }) => name)).toEqual(["a"]);
  expect(readClusterFile(path)).toBeUndefined();
  unregister("a", env);
  expect(existsSync(join(home, "fairlead/running"))).toBe(false);
  unregister("a", env);
});

test("a file that a dead process left does not count, nor one whose pid is somebody else's by now", async () => {
  const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"]);
  const pid = child.pid ?? 0;
  const its = file("c", pid);
  expect(isRunning(its)).toBe(true);
  expect(isRunning({ ...its, processStart: "1" })).toBe(false);
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
  expect(isRunning(its)).toBe(false);
});

test("names are safe as file names", () => {
  expect(() => clusterRoot({ name: "../x" }, env)).toThrow("not allowed");
  expect(() => clusterRoot({ name: "A" }, env)).toThrow("not allowed");
  expect(clusterRoot({ name: "shop-1" }, env)).toBe(join(home, "fairlead/clusters/shop-1"));
  expect(dataHome({ XDG_DATA_HOME: "relative" })).not.toContain("relative");
});
