/** The past of a cluster: `explain --at` and `diff --since` over its API, as the verbs do it. */
import { createServer } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pods, services } from "../../src/api/resources.ts";
import { diff } from "../../src/cli/diff/diff.ts";
import { explain } from "../../src/cli/explain/explain.ts";
import { createTerminal } from "../../src/cli/terminal.ts";
import type { RoutingChange } from "../../src/decide/explain/history/routing-diff.ts";
import { startCluster, type TestCluster } from "../../src/testing/index.ts";

const manifests = `
{ apiVersion: v1, kind: Service, metadata: { name: web }, spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 8080 }] } }
---
{ apiVersion: v1, kind: Pod, metadata: { name: web-1, labels: { app: web } }, spec: { containers: [{ name: app, image: test/echo, ports: [{ containerPort: 8080 }] }] } }
---
{ apiVersion: v1, kind: Pod, metadata: { name: web-2, labels: { app: web } }, spec: { containers: [{ name: app, image: test/echo, ports: [{ containerPort: 8080 }] }] } }
`;

function recorded() {
  const [out, err]: [string[], string[]] = [[], []];
  const sink = (lines: string[]) => ({ write: (text: string) => lines.push(text) > 0, isTTY: false }) as never;
  return { terminal: createTerminal({ out: sink(out), err: sink(err), env: {} }), text: () => out.join(""), notes: () => err.join("") };
}

describe("the past of a cluster", () => {
  let cluster: TestCluster;
  let kubeconfig: string;
  /** When both pods were there. */
  let before: string;

  beforeAll(async () => {
    cluster = await startCluster({ manifests, functions: { "test/echo": () => createServer((_, response) => response.end("ok")) } });
    kubeconfig = await cluster.kubeconfig();
    await cluster.untilReady("pod/web-1", { timeout: 60_000 });
    await cluster.untilReady("pod/web-2", { timeout: 60_000 });
  }, 90_000);
  afterAll(() => cluster?.stop());

  const explained = async (at?: string) => {
    const { terminal, text } = recorded();
    const code = await explain(
      { name: "default", kubeconfig, files: [], target: "svc/web", live: false, output: "json", ...(at === undefined ? {} : { at }) },
      terminal,
    );
    return { code, ...(JSON.parse(text()) as { readonly endpoints: readonly string[]; readonly limits: readonly string[] }) };
  };
  const changes = async (since: string) => {
    const { terminal, text } = recorded();
    expect(await diff({ name: "default", kubeconfig, since, output: "json" }, terminal)).toBe(0);
    return (JSON.parse(text()) as { readonly changes: readonly RoutingChange[] }).changes;
  };

  test("a pod that goes: diff names the slice's write and the pod behind it", { timeout: 60_000 }, async () => {
    await expect.poll(async () => (await explained()).endpoints.length, { timeout: 30_000 }).toBe(2);
    before = (await cluster.client.list(services)).metadata.resourceVersion ?? "";
    await cluster.client.delete(pods, { namespace: "default", name: "web-1" });
    await expect.poll(async () => (await explained()).endpoints.length, { timeout: 30_000 }).toBe(1);
    const found = (await changes(before)).filter(({ subject }) => subject.name === "web");
    expect(found.flatMap(({ removed }) => removed)).toEqual([
      expect.stringMatching(/^port http: endpoint \S+:8080 \(Pod default\/web-1\)$/),
    ]);
    expect(found.find(({ removed }) => removed.length > 0)).toMatchObject({
      added: [],
      by: { ref: { kind: "EndpointSlice", namespace: "default" }, verb: "updated", writer: "kube-controller-manager" },
      because: [expect.stringMatching(/^pod default\/web-1 is (being deleted|gone)$/)],
    });
  });

  test("explain --at shows both pods, and says of when it speaks", async () => {
    const then = await explained(before);
    expect(then.endpoints).toHaveLength(2);
    expect(then.limits).toContainEqual(expect.stringContaining(`as of `));
    expect((await explained()).endpoints).toHaveLength(1);
  });

  test("a Service that is edited: what it was and what it is, and who did it", async () => {
    const { metadata } = await cluster.client.get(services, { namespace: "default", name: "web" });
    await cluster.client.patch(
      services,
      { namespace: "default", name: "web" },
      "application/merge-patch+json",
      { spec: { sessionAffinity: "ClientIP" } },
      { fieldManager: "somebody" },
    );
    expect(await changes(metadata.resourceVersion ?? "")).toContainEqual(
      expect.objectContaining({
        removed: ["port http: 80/TCP, internal Cluster, external Cluster"],
        added: ["port http: 80/TCP, internal Cluster, external Cluster, affinity 10800 s"],
        by: { ref: { kind: "Service", namespace: "default", name: "web" }, verb: "updated", writer: "somebody" },
      }),
    );
  });

  test("longer ago than the cluster: diff begins with it, explain --at says so", async () => {
    const { terminal, text, notes } = recorded();
    expect(await diff({ name: "default", kubeconfig, since: "2020-01-01T00:00:00Z", output: "text" }, terminal)).toBe(0);
    expect(notes()).toContain("history begins at ");
    expect(text()).toContain("Service default/web");
    await expect(explained("2020-01-01T00:00:00Z")).rejects.toThrow("nothing is kept that is as old as");
    await expect(explained("yesterday")).rejects.toThrow("yesterday is no moment");
  });

  test("whoever may not read every path may not read it", async () => {
    await expect(async () => {
      for await (const _ of cluster.clientAs("somebody").stream("/fairlead/history?at=oldest")) break;
    }).rejects.toThrow(/forbidden/);
  });
});
