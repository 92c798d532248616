/** A Service by plain HTTP, as tutorials show it: `curl -X POST` with a JSON body and no content type. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import { expect, test } from "vitest";
import { startCluster } from "../../src/testing/index.ts";

const run = promisify(execFile);
const hasCurl = (process.env["PATH"] ?? "").split(delimiter).some((directory) => existsSync(join(directory, "curl")));

const bodies = [
  '{"kind": "Service","apiVersion": "v1","metadata": {"name": "my-service"},"spec": {"selector": {"app": "MyApp"},"ports": [{"protocol": "TCP","port": 80,"targetPort": 9376}]}}',
  '{"kind": "Service","apiVersion": "v1","metadata": {"name": "my-service"},"spec": {"ports": [{"protocol": "TCP","port": 80,"targetPort": 9376}]}}',
];

test("a Service with and without a selector: 201 both times", { timeout: 60_000 }, async (context) => {
  if (!hasCurl) return context.skip("this machine has no curl");
  await using cluster = await startCluster();
  const { clusters, users } = parse(readFileSync(await cluster.kubeconfig(), "utf8"));
  const directory = mkdtempSync(join(tmpdir(), "fairlead-curl-"));
  try {
    const file = (name: string, base64: string) => {
      const path = join(directory, name);
      writeFileSync(path, Buffer.from(base64, "base64"), { mode: 0o600 });
      return path;
    };
    const { user } = users[0];
    const identity = [
      ...["--cacert", file("ca", clusters[0].cluster["certificate-authority-data"])],
      ...["--cert", file("cert", user["client-certificate-data"])],
      ...["--key", file("key", user["client-key-data"])],
    ];
    const services = `${clusters[0].cluster.server}/api/v1/namespaces/default/services`;
    const curl = async (...args: string[]) =>
      (await run("curl", ["-sS", "-o", "/dev/null", "-w", "%{http_code}", ...identity, ...args])).stdout;
    for (const body of bodies) {
      expect(await curl("-X", "POST", services, "-d", body)).toBe("201");
      expect(await curl("-X", "DELETE", `${services}/my-service`)).toBe("200");
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
