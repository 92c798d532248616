/**
 * The API server of the comparison as a program of its own, with a store in memory.
 *
 *   api-server.ts DIRECTORY PORT TOKEN
 */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createApiServer } from "../../src/apiserver/server.ts";
import { createMemoryBackend } from "../../src/storage/memory/memory-backend.ts";

const [directory, port, token] = process.argv.slice(2) as [string, string, string];
const server = createApiServer({
  backend: createMemoryBackend(),
  serviceClusterIPRanges: ["10.96.0.0/12"],
  pkiDirectory: join(directory, "pki"),
  certificatesAtStart: true,
  port: Number(port),
  tokens: (given) => (given === token ? { name: "bench", groups: ["system:masters"] } : undefined),
});
await server.start();
await server.listen();
writeFileSync(join(directory, "ca.crt.new"), server.certificateAuthority as string);
renameSync(join(directory, "ca.crt.new"), join(directory, "ca.crt"));
process.on("SIGTERM", () => void server.stop().then(() => process.exit(0)));
