/**
 * Helm from the first install to the last trace: a chart as `helm create` makes it, and one with definitions, hooks and a test, on pods that
 * are real processes. Needs `helm` 3 on the PATH, or named by $HELM (test/peers/build.ts builds it).
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { configMaps, deployments, jobs, secrets, services } from "../../src/api/resources.ts";
import { startCluster } from "../../src/testing/index.ts";

const run = promisify(execFile);
const program =
  process.env["HELM"] ??
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((directory) => join(directory, "helm"))
    .find((path) => existsSync(path));

interface Helm {
  readonly home: string;
  run(...args: readonly string[]): Promise<string>;
}

async function withHelm(kubeconfig: string, use: (helm: Helm) => Promise<void>): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "fairlead-helm-"));
  const env = { PATH: process.env["PATH"], HOME: home, KUBECONFIG: kubeconfig };
  const helm: Helm = {
    home,
    run: async (...args) => (await run(program as string, args, { env, cwd: home, timeout: 120_000 })).stdout,
  };
  try {
    await use(helm);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

test("install, upgrade, rollback, uninstall", { timeout: 240_000 }, async (context) => {
  if (program === undefined) return context.skip("this machine has no helm");
  await using cluster = await startCluster({ runtime: "process" });
  // The chart's image is one that this cluster has; what it runs keeps still, so its probes are taken away.
  const set = (replicas: number) =>
    `replicaCount=${replicas},image.repository=busybox,image.tag=latest,livenessProbe=null,readinessProbe=null,service.port=8080`;
  await withHelm(await cluster.kubeconfig(), async ({ run: helm }) => {
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
  });
});

const hooked = (name: string, hook: string, script: string, kind: "Job" | "Pod" = "Job") => {
  const pod = { restartPolicy: "Never", containers: [{ name: "main", image: "busybox", command: ["sh", "-c", script] }] };
  const annotations = { "helm.sh/hook": hook, "helm.sh/hook-delete-policy": "before-hook-creation" };
  return JSON.stringify(
    kind === "Pod"
      ? { apiVersion: "v1", kind, metadata: { name, annotations }, spec: pod }
      : { apiVersion: "batch/v1", kind, metadata: { name, annotations }, spec: { backoffLimit: 0, template: { spec: pod } } },
  );
};

/** A definition, an object of it, hooks before and after, and a test of the release. */
const chart: Readonly<Record<string, string>> = {
  "Chart.yaml": "apiVersion: v2\nname: full\nversion: 1.0.0\n",
  "values.yaml": "size: 1\nscript: exit 0\n",
  "crds/gadgets.yaml": JSON.stringify({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "gadgets.test.dev" },
    spec: {
      group: "test.dev",
      scope: "Namespaced",
      names: { plural: "gadgets", kind: "Gadget" },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties: { size: { type: "integer" } } } } },
          },
        },
      ],
    },
  }),
  "templates/gadget.yaml":
    "apiVersion: test.dev/v1\nkind: Gadget\nmetadata:\n  name: one\nspec:\n  size: {{ .Values.size }}\n---\n" +
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: seen\ndata:\n  kubernetes: {{ (lookup "v1" "Service" "default" "kubernetes").spec.clusterIP | quote }}\n',
  "templates/before.yaml": hooked("before", "pre-install,pre-upgrade", "{{ .Values.script }}"),
  "templates/after.yaml": hooked("after", "post-install", "exit 0"),
  "templates/test.yaml": hooked("check", "test", "exit 0", "Pod"),
};

test("a chart with definitions, hooks and a test; an upgrade that fails is taken back", { timeout: 240_000 }, async (context) => {
  if (program === undefined) return context.skip("this machine has no helm");
  await using cluster = await startCluster({ runtime: "process" });
  const gadgets = { group: "test.dev", version: "v1", plural: "gadgets", kind: "Gadget", namespaced: true };
  await withHelm(await cluster.kubeconfig(), async ({ home, run: helm }) => {
    for (const [name, text] of Object.entries(chart)) {
      mkdirSync(dirname(join(home, "full", name)), { recursive: true });
      writeFileSync(join(home, "full", name), text);
    }
    await helm("install", "full", "./full", "--wait", "--timeout", "90s");
    const gadget = async () => await cluster.client.get(gadgets, { namespace: "default", name: "one" });
    expect(await gadget()).toMatchObject({ spec: { size: 1 }, metadata: { labels: { "app.kubernetes.io/managed-by": "Helm" } } });
    const seen = await cluster.client.get(configMaps, { namespace: "default", name: "seen" });
    const kubernetes = await cluster.client.get(services, { namespace: "default", name: "kubernetes" });
    expect(seen.data).toEqual({ kubernetes: kubernetes.spec?.clusterIP });
    for (const name of ["before", "after"])
      expect((await cluster.client.get(jobs, { namespace: "default", name })).status).toMatchObject({ succeeded: 1 });
    expect(await helm("test", "full")).toMatch(/Phase: +Succeeded/);

    const failing = ["--set", "size=3", "--set", "script=exit 1", "--atomic"];
    await expect(helm("upgrade", "full", "./full", ...failing, "--timeout", "90s")).rejects.toThrow(/pre-upgrade hooks failed/);
    expect(await gadget()).toMatchObject({ spec: { size: 1 } });
    await helm("upgrade", "full", "./full", "--set", "size=2", "--wait", "--timeout", "90s");
    expect(await gadget()).toMatchObject({ spec: { size: 2 } });
    expect(await helm("get", "manifest", "full")).toContain("size: 2");
    await helm("uninstall", "full", "--wait");
    // Definitions stay: what others made of them would go, too.
    expect((await cluster.client.list(gadgets, { namespace: "default" })).items).toEqual([]);
  });
});
