/** A real image out of a registry of this machine, as a person has it: `fairlead up --image-source registry`. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ClusterReport } from "../../src/cli/report.ts";
import { buildImage } from "../../src/kubelet/images/fake/image-builder.ts";
import { startRegistry } from "../../src/kubelet/images/fake/registry-server.ts";
import { ways } from "../support/modes.ts";
import { findTool, missingTools } from "../support/tools.ts";

const way = ways.find(({ mode, missing }) => mode === "namespaces" && missing === undefined);

/** A web server: busybox and one page. */
function webImage() {
  const busybox = findTool("busybox") as string;
  const page = { name: "www/index.html", content: "a page of the image\n" };
  return buildImage({
    layers: [[{ name: "bin/busybox", content: readFileSync(busybox), mode: 0o755 }], [page]],
    config: { Entrypoint: ["/bin/busybox", "httpd", "-f", "-p", "8080"], Cmd: ["-h", "/nowhere"], User: "1000:1000" },
    index: true,
  });
}

test("a pod of a real image serves behind its Service; one that the registry lacks says so", { timeout: 300_000 }, async (ctx) => {
  const missing = way === undefined ? "this machine allows no namespaces" : missingTools("crun", "busybox");
  if (way === undefined || missing !== undefined) return ctx.skip(missing);
  const registry = await startRegistry({ images: { "team/web:1": webImage() }, auth: "token" });
  const program = way.open();
  try {
    const container = (image: string, more: object = {}) => ({ spec: { containers: [{ name: "c", image, ...more }] } });
    const web = container(`${registry.host}/team/web:1`, {
      args: ["-h", "/www"],
      readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 },
    });
    const manifests = [
      { apiVersion: "v1", kind: "Pod", metadata: { name: "web", labels: { app: "web" } }, ...web },
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "web" },
        spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }] },
      },
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "client" },
        ...container("node", { command: ["node", "-e", "setInterval(() => {}, 1e6)"] }),
      },
      { apiVersion: "v1", kind: "Pod", metadata: { name: "absent" }, ...container(`${registry.host}/team/web:2`) },
    ];
    const file = join(program.home, "pods.yaml");
    writeFileSync(file, manifests.map((one) => JSON.stringify(one)).join("\n---\n"), { mode: 0o644 });
    const flags = ["--name", "images", "--ephemeral", "--api-port", "0", "--timeout", "90s", "-o", "json"];
    const { stdout, stderr } = await program.run("up", "--detach", ...flags, "--image-source", "registry", "-f", file);
    const report = JSON.parse(stdout || JSON.stringify({ stderr })) as ClusterReport;
    expect(report).toMatchObject({
      pods: expect.arrayContaining([expect.objectContaining({ name: "web", status: "Running" })]) as unknown,
      requests: [{ service: "default/web", from: "default/client", endpoints: 1, errors: [] }],
    });
    expect(report.requests[0]?.sent).toBeGreaterThan(0);
    expect(report.requests[0]?.succeeded).toBe(report.requests[0]?.sent);
    expect(JSON.stringify(report)).toMatch(new RegExp(`failed to pull and unpack image .*${registry.host}/team/web:2: not found`));
  } finally {
    await program.run("down", "--name", "images");
    way.discard(program);
    await registry.close();
  }
});
