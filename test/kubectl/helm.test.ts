/** Helm from the first install to the last trace: a chart as `helm create` makes it, on pods that are real processes. Needs `helm` 3 on the PATH. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { deployments, secrets, services } from "../../src/api/resources.ts";
import { startCluster } from "../../src/testing/index.ts";

const run = promisify(execFile);
const hasHelm = (process.env["PATH"] ?? "").split(delimiter).some((directory) => existsSync(join(directory, "helm")));

test("install, upgrade, rollback, uninstall", { timeout: 240_000 }, async (context) => {
  if (!hasHelm) return context.skip("this machine has no helm");
  await using cluster = await startCluster({ runtime: "process" });
  const kubeconfig = await cluster.kubeconfig();
  const home = mkdtempSync(join(tmpdir(), "fairlead-helm-"));
  const env = { PATH: process.env["PATH"], HOME: home, KUBECONFIG: kubeconfig };
  const helm = async (...args: string[]) => (await run("helm", args, { env, cwd: home, timeout: 120_000 })).stdout;
  // The chart's image is one that this cluster has; what it runs keeps still, so its probes are taken away.
  const set = (replicas: number) =>
    `replicaCount=${replicas},image.repository=busybox,image.tag=latest,livenessProbe=null,readinessProbe=null,service.port=8080`;
  try {
    await helm("create", "web");
    await helm("install", "shop", "./web", "--set", set(1), "--create-namespace", "-n", "shop");
    const replicas = async () => (await cluster.client.get(deployments, { namespace: "shop", name: "shop-web" })).spec?.replicas;
    expect(await replicas()).toBe(1);
    expect((await cluster.client.get(services, { namespace: "shop", name: "shop-web" })).spec?.ports?.[0]?.port).toBe(8080);
    await helm("upgrade", "shop", "./web", "--set", set(3), "-n", "shop");
    expect(await replicas()).toBe(3);
    await helm("rollback", "shop", "1", "-n", "shop");
    expect(await replicas()).toBe(1);
    const history = JSON.parse(await helm("history", "shop", "-n", "shop", "-o", "json")) as { status: string }[];
    expect(history.map(({ status }) => status)).toEqual(["superseded", "superseded", "deployed"]);
    expect(await helm("list", "-n", "shop", "-q")).toBe("shop\n");
    await helm("uninstall", "shop", "-n", "shop", "--wait");
    expect((await cluster.client.list(secrets, { namespace: "shop", labelSelector: "owner=helm" })).items).toEqual([]);
    expect((await cluster.client.list(deployments, { namespace: "shop" })).items).toEqual([]);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
