/** Real kubectls against a cluster whose pods are real processes: what a person does in the first hour. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCluster, type TestCluster } from "../../src/testing/index.ts";
import { findKubectls, runKubectl, startKubectl, type Kubectl, type Output } from "../support/kubectl.ts";

/** Those that the README promises. */
const wanted = ["1.27", "1.28", "1.29", "1.30", "1.31", "1.32", "1.33"];
const found = findKubectls();
const example = join(import.meta.dirname, "../../examples/webapp");

for (const minor of wanted) {
  const kubectl = found.find((candidate) => candidate.minor === minor);
  if (kubectl === undefined) {
    test(`kubectl ${minor}`, (context) => context.skip(`this machine has no kubectl ${minor}`));
  } else {
    describe(`kubectl ${minor}`, { concurrent: false }, () => scenario(kubectl));
  }
}

function scenario(kubectl: Kubectl): void {
  let cluster: TestCluster;
  let kubeconfig: string;
  const run = (args: string, input?: string): Promise<Output> =>
    runKubectl(kubectl, args.split(" "), { kubeconfig, ...(input === undefined ? {} : { input }) });
  const ok = async (args: string, input?: string): Promise<string> => {
    const { code, stdout, stderr } = await run(args, input);
    expect(`exit code ${code}\n${code === 0 ? "" : stderr}`).toBe("exit code 0\n");
    return stdout;
  };

  beforeAll(async () => {
    cluster = await startCluster({ runtime: "process" });
    kubeconfig = await cluster.kubeconfig();
  });
  afterAll(() => cluster.stop());

  test("apply -f, twice", async () => {
    const first = await ok(`apply -f ${example}`);
    expect(first).toContain("deployment.apps/webapp created");
    expect(first).toContain("service/webapp created");
    await ok("-n shop rollout status deployment/webapp --timeout=15s");
    expect(await ok(`apply -f ${example}`)).toContain("deployment.apps/webapp unchanged");
  });

  test("get all -o wide", async () => {
    const text = await ok("-n shop get all -o wide");
    expect(text).toMatch(/NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES/);
    expect(text.match(/^pod\/webapp-\S+ +1\/1 +Running +0 /gm)).toHaveLength(3);
    expect(text).toMatch(/service\/webapp +ClusterIP +127\.\d+\.\d+\.\d+ +<none> +8080\/TCP,8005\/TCP +\S+ +app=webapp/);
    expect(text).toMatch(/service\/search +ExternalName +<none> +search\.example\.com/);
    expect(text).toMatch(/deployment\.apps\/webapp +3\/3 +3 +3 /);
    expect(text).toMatch(/replicaset\.apps\/webapp-\S+ +3 +3 +3 /);
  });

  test("describe svc", async () => {
    const text = await ok("-n shop describe svc webapp");
    expect(text).toMatch(/Selector: +app=webapp/);
    expect(text).toMatch(/TargetPort: +http\/TCP/);
    expect(text).toMatch(/Endpoints: +127\.\d+\.\d+\.\d+:8080,127\.\d+\.\d+\.\d+:8080,127\.\d+\.\d+\.\d+:8080/);
  });

  test("expose deployment without --port is the YAML Service", async () => {
    await ok("-n shop expose deployment webapp --name exposed");
    const service = JSON.parse(await ok("-n shop get service exposed -o json")) as {
      spec: { ports: { port: number; targetPort: number }[]; selector: unknown };
    };
    expect(service.spec.selector).toEqual({ app: "webapp" });
    expect(service.spec.ports.map(({ port, targetPort }) => [port, targetPort])).toEqual([
      [8080, 8080],
      [8005, 8005],
    ]);
    await ok("-n shop delete service exposed");
  });

  test("scale and get -w", async () => {
    const watching = startKubectl(
      kubectl,
      ["-n", "shop", "get", "deployment", "webapp", "-w", "-o", "jsonpath={.status.readyReplicas}{'\\n'}"],
      kubeconfig,
    );
    let seen = "";
    watching.stdout?.on("data", (chunk: Buffer) => (seen += chunk.toString()));
    await expect.poll(() => seen, { timeout: 10_000 }).toContain("3\n");
    expect(await ok("-n shop scale deployment webapp --replicas=4")).toContain("deployment.apps/webapp scaled");
    await expect.poll(() => seen, { timeout: 10_000 }).toContain("4\n");
    watching.kill();
    await ok("-n shop rollout status deployment/webapp --timeout=15s");
  });

  // kubectl speaks SPDY until 1.28, can be told to use WebSocket in 1.29, and does from 1.30 or 1.31 on.
  test("exec carries output and exit code", async () => {
    expect(await ok("-n shop exec deploy/webapp -- node -p 6*7")).toBe("42\n");
    const failed = await run("-n shop exec deploy/webapp -- node -e process.exit(3)");
    expect(failed.code).toBe(3);
    expect(failed.stderr).toContain("command terminated with exit code 3");
  });

  test("exec -i passes standard input", async () => {
    expect(await ok("-n shop exec -i deploy/webapp -- cat", "through the pipe\n")).toBe("through the pipe\n");
  });

  test("logs", async () => {
    expect(await ok("-n shop logs deploy/webapp")).toMatch(/^webapp-\S+ serves http:\/\/127\.\d+\.\d+\.\d+:8080$/m);
    expect(await ok("-n shop logs deploy/webapp --tail=1 --timestamps")).toMatch(/^\d{4}-\d\d-\d\dT\S+Z webapp-/);
  });

  test("rollout restart and undo", async () => {
    await ok("-n shop set env deployment/webapp GREETING=Goodbye");
    await ok("-n shop rollout status deployment/webapp --timeout=15s");
    const service = JSON.parse(await ok("-n shop get service webapp -o json")) as { spec: { clusterIP: string } };
    expect(await (await fetch(`http://${service.spec.clusterIP}:8080/`)).text()).toMatch(/^Goodbye from webapp-/);
    await ok("-n shop rollout undo deployment/webapp");
    await ok("-n shop rollout status deployment/webapp --timeout=15s");
    expect((await ok("-n shop get replicasets -o name")).trim().split("\n")).toHaveLength(2);
  });

  test("patch, label, annotate, diff of types", async () => {
    await ok("-n shop label service webapp tier=front");
    await ok("-n shop annotate service webapp note=seen");
    await ok(`-n shop patch service webapp --type=merge -p {"metadata":{"labels":{"tier":"back"}}}`);
    await ok(`-n shop patch service webapp --type=json -p [{"op":"remove","path":"/metadata/annotations/note"}]`);
    await ok(`-n shop patch service webapp -p {"spec":{"ports":[{"port":9090,"name":"extra"}]}}`);
    const service = JSON.parse(await ok("-n shop get service webapp -o json")) as {
      metadata: { labels: object; annotations: Record<string, string> };
      spec: { ports: { port: number }[] };
    };
    expect(service.metadata.labels).toEqual({ tier: "back" });
    expect(service.metadata.annotations["note"]).toBeUndefined();
    expect(service.spec.ports.map(({ port }) => port).sort()).toEqual([8005, 8080, 9090]);
  });

  test("errors are upstream's", async () => {
    expect((await run("-n shop get pod nobody")).stderr).toBe('Error from server (NotFound): pods "nobody" not found\n');
    expect((await run("get gadgets")).stderr).toContain(`the server doesn't have a resource type "gadgets"`);
    const bad = await run(
      "create -f -",
      JSON.stringify({ apiVersion: "v1", kind: "Service", metadata: { name: "x" }, spec: { ports: [{ port: 70000 }] } }),
    );
    expect(bad.stderr).toContain('The Service "x" is invalid: ');
    expect(bad.stderr).toContain("* spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive");
  });

  test("apply --server-side, explain, api-resources", async () => {
    const manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n";
    expect(await ok("apply --server-side -f -", manifest)).toContain("configmap/settings serverside-applied");
    expect(await ok("api-resources")).toMatch(/services +svc +v1 +true +Service/);
    expect(await ok("explain service.spec.ports")).toMatch(/targetPort/);
  });

  test("delete", async () => {
    expect(await ok(`delete -f ${example} --wait=true --timeout=20s`)).toContain('namespace "shop" deleted');
    expect((await run("get namespace shop")).stderr).toContain("not found");
  });
}

test("a stranger is refused: a guessed token, and no credentials at all", async (context) => {
  const kubectl = found.at(-1);
  if (kubectl === undefined) return context.skip("this machine has no kubectl");
  await using cluster = await startCluster();
  const config = await cluster.kubeconfig();
  const server = /server: "?(https:[^"\s]+)/.exec(readFileSync(config, "utf8"))?.[1] ?? "";
  const directory = mkdtempSync(join(tmpdir(), "fairlead-kubectl-"));
  try {
    const empty = join(directory, "config");
    writeFileSync(empty, "apiVersion: v1\nkind: Config\n");
    const stranger = ["--server", server, "--insecure-skip-tls-verify", "get", "pods"];
    const guessed = await runKubectl(kubectl, [...stranger, "--token", "guess"], { kubeconfig: empty });
    expect([guessed.code, guessed.stderr]).toEqual([1, expect.stringMatching(/Unauthorized|must be logged in/)]);
    const nobody = await fetchStatus(`${server}/api/v1/pods`);
    expect([401, 403]).toContain(nobody);
    expect(await fetchStatus(`${server}/readyz`)).toBe(200);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

function fetchStatus(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}
