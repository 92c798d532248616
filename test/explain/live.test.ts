/** `explain --live`: commands in pods over the API, and what is made of how they went. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { execInPod } from "../../src/client/exec.ts";
import { loadKubeconfig } from "../../src/client/kubeconfig.ts";
import { explain } from "../../src/cli/explain/explain.ts";
import { createTerminal } from "../../src/cli/terminal.ts";
import { isConnected, withLive, type Happened, type LiveExplanation } from "../../src/decide/explain/live.ts";
import type { Explanation } from "../../src/decide/explain/explain.ts";
import { startCluster, type TestCluster } from "../../src/testing/index.ts";

const server = (host: string) => `[node, -e, 'require("http").createServer((q, r) => r.end("ok")).listen(8080, ${host})']`;
const pod = (name: string, command: string) =>
  `{ apiVersion: v1, kind: Pod, metadata: { name: ${name}, labels: { app: ${name} } }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: app, image: node, command: ${command}, env: [{ name: IP, valueFrom: { fieldRef: { fieldPath: status.podIP } } }] }] } }`;
const service = (name: string) =>
  `{ apiVersion: v1, kind: Service, metadata: { name: ${name}-service }, spec: { selector: { app: ${name} }, ports: [{ port: 80, targetPort: 8080 }] } }`;
const manifests = [
  pod("web", server("process.env.IP")),
  pod("deaf", server('"127.0.0.1"')),
  pod("client", '[node, -e, "setInterval(() => 0, 1000)"]'),
  service("web"),
  service("deaf"),
].join("\n---\n");

describe("in a cluster of processes", () => {
  let cluster: TestCluster;
  let kubeconfig: string;

  beforeAll(async () => {
    cluster = await startCluster({ runtime: "process", manifests });
    kubeconfig = await cluster.kubeconfig();
    for (const name of ["web", "deaf", "client"]) await cluster.untilReady(`pod/${name}`, { timeout: 60_000 });
    for (const name of ["web", "deaf"]) await cluster.untilReady(`service/${name}-service`, { timeout: 60_000 });
  }, 120_000);
  afterAll(() => cluster?.stop());

  test("a command's output and exit code come back", { timeout: 60_000 }, async () => {
    const config = await loadKubeconfig({ path: kubeconfig });
    const run = (script: string) =>
      execInPod(config, { namespace: "default", pod: "client", container: "app", command: ["sh", "-c", script], timeout: 30_000 });
    expect(await run("echo out; echo err >&2; exit 3")).toEqual({ code: 3, stdout: "out\n", stderr: "err\n" });
    expect(await run("true")).toEqual({ code: 0, stdout: "", stderr: "" });
    await expect(
      execInPod(config, { namespace: "default", pod: "nobody", container: "app", command: ["true"], timeout: 30_000 }),
    ).rejects.toMatchObject({ code: "FL_CONNECT" });
  });

  test("what listens at 127.0.0.1 alone is found, what answers is confirmed", { timeout: 60_000 }, async () => {
    const tried = async (address: string) => {
      const out: string[] = [];
      const terminal = createTerminal({
        out: { write: (text: string) => out.push(text) > 0, isTTY: false } as never,
        err: { write: () => true } as never,
        env: {},
      });
      const code = await explain(
        { name: "default", kubeconfig, files: [], target: address, from: "pod/default/client", live: true, output: "json" },
        terminal,
      );
      return { exit: code, ...(JSON.parse(out.join("")) as LiveExplanation) };
    };
    const ip = async (name: string) => (await cluster.resolve(`${name}-service.default.svc.cluster.local`))[0] ?? "";
    expect(await tried(`http://${await ip("web")}/`)).toMatchObject({ exit: 0, code: "Reachable", live: { agrees: true } });
    const deaf = await tried(`http://${await ip("deaf")}/`);
    expect(deaf).toMatchObject({ exit: 1, code: "PodRefuses", live: { agrees: false } });
    expect(deaf.live.attempts.find(({ what }) => what === "endpoint")).toMatchObject({ connected: false, answer: "ECONNREFUSED" });
  });
});

describe("prediction and what happened", () => {
  const predicted = (ok: boolean): Explanation => ({
    target: "http://web/",
    from: { kind: "pod", namespace: "default", text: "pod default/client" },
    ok,
    code: ok ? "Reachable" : "SelectorTypo",
    certainty: "certain",
    verdict: "as predicted",
    path: [],
    changes: [],
    endpoints: ok ? ["10.244.0.1:8080"] : [],
    warnings: [],
    limits: [],
  });
  const target = (connected: boolean): Happened => ({
    what: "target",
    url: "http://web:80/",
    connected,
    answer: connected ? "HTTP 200" : "ECONNREFUSED",
  });
  const endpoint = (connected: boolean): Happened => ({
    what: "endpoint",
    url: "http://10.244.0.1:8080/",
    connected,
    answer: connected ? "HTTP 200" : "ETIMEDOUT",
  });

  test.each([
    ["both say it arrives", true, [target(true), endpoint(true)], { ok: true, code: "Reachable", agrees: true }],
    ["both say it does not", false, [target(false)], { ok: false, code: "SelectorTypo", agrees: true }],
    [
      "the endpoint answers, the Service's address does not",
      true,
      [target(false), endpoint(true)],
      { ok: false, code: "LiveDiffers", agrees: false },
    ],
    ["it arrives against all objects", false, [target(true)], { ok: true, code: "LiveDiffers", agrees: false }],
    ["the pod does not answer", true, [target(false), endpoint(false)], { ok: false, code: "PodRefuses", agrees: false }],
  ])("%s", (_, ok, attempts, expected) => {
    const { live, ...after } = withLive(predicted(ok), attempts);
    expect({ ok: after.ok, code: after.code, agrees: live.agrees }).toEqual(expected);
    expect(after.verdict === "as predicted").toBe(expected.agrees);
  });

  test("an answer that is no HTTP is an answer", () => {
    expect(["ECONNRESET", "HPE_INVALID_CONSTANT", undefined].map(isConnected)).toEqual([true, true, true]);
    expect(["ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "unresolved"].map(isConnected)).toEqual([false, false, false, false]);
  });
});
