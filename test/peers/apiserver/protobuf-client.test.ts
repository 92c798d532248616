/**
 * A Go program of client-go that reads and writes protocol buffers alone, against our server. Needs it in $PROTOBUF_CLIENT
 * (`test/peers/build.ts --out DIR protobuf-client`).
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { createApiServer } from "../../../src/apiserver/server.ts";
import { createMemoryBackend } from "../../../src/storage/memory/memory-backend.ts";

const program = process.env["PROTOBUF_CLIENT"] ?? "";

test("client-go lists, creates, watches and deletes by protocol buffers", { timeout: 120_000 }, async (context) => {
  if (program === "") return context.skip("needs the client: its path in $PROTOBUF_CLIENT");
  const server = createApiServer({
    backend: createMemoryBackend(),
    serviceClusterIPRanges: ["10.96.0.0/16"],
    allowLoopbackEndpoints: true,
  });
  const directory = mkdtempSync(join(tmpdir(), "protobuf-client-"));
  try {
    await server.start();
    await server.listen();
    const kubeconfig = join(directory, "kubeconfig");
    writeFileSync(kubeconfig, await server.adminKubeconfig("test"), { mode: 0o600 });
    const { stdout } = await promisify(execFile)(program, [kubeconfig]);
    expect(JSON.parse(stdout)).toEqual({
      service: "kubernetes",
      clusterIP: "10.96.0.1",
      notFound: true,
      made: "v",
      bytes: Buffer.from([0, 1, 255]).toString("base64"),
      watched: "ADDED b",
      roles: expect.any(Number),
      slicePorts: 1,
    });
  } finally {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});
