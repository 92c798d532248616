/**
 * The API server over SQLite as a program, nothing else: for what measures it from outside, or kills it. When it answers it says
 * `{"port":6443}` on a line; its authority is then in DIRECTORY/ca.crt.
 *
 *   api-server-program.ts DIRECTORY PORT TOKEN
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createApiServer } from "../../src/apiserver/server.ts";
import { createSqliteBackend } from "../../src/storage/sqlite/sqlite-backend.ts";

const [directory, port, token] = process.argv.slice(2) as [string, string, string];
const server = createApiServer({
  backend: createSqliteBackend({ directory: join(directory, "store") }),
  serviceClusterIPRanges: ["10.96.0.0/12"],
  pkiDirectory: join(directory, "pki"),
  certificatesAtStart: true,
  port: Number(port),
  tokens: (given) => (given === token ? { name: "bench", groups: ["system:masters"] } : undefined),
});
await server.start();
const address = await server.listen();
writeFileSync(join(directory, "ca.crt"), server.certificateAuthority as string);
process.stdout.write(`${JSON.stringify({ port: address.port })}\n`);
const stop = (): void => void server.stop().then(() => process.exit(0));
process.on("SIGTERM", stop);
