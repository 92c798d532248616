/** `agnhost SUBCOMMAND …`: chooses the subcommand and runs it. */
import { connectOnce } from "./connect.ts";
import { grpcHealth } from "./grpc-health.ts";
import { guestbook } from "./guestbook.ts";
import { generateLogs } from "./logs-generator.ts";
import { mounttest } from "./mounttest.ts";
import { netcat } from "./nc.ts";
import { netexec } from "./netexec.ts";
import { porter } from "./porter.ts";
import { dnsServerList, dnsSuffix, entrypoint, etcHosts } from "./print.ts";
import { liveness, pause, serveHostname, testWebserver } from "./servers.ts";

/** Gets the words after the subcommand. What it throws is shown, and the exit code is 1. */
export type Subcommand = (words: readonly string[]) => void | Promise<void>;

const subcommands: Readonly<Record<string, Subcommand>> = {
  connect: connectOnce,
  "dns-server-list": dnsServerList,
  "dns-suffix": dnsSuffix,
  "entrypoint-tester": entrypoint,
  "etc-hosts": etcHosts,
  "grpc-health-checking": grpcHealth,
  guestbook,
  liveness,
  "logs-generator": generateLogs,
  mounttest,
  nc: netcat,
  netexec,
  pause,
  porter,
  "serve-hostname": serveHostname,
  "test-webserver": testWebserver,
};

const [name = "help", ...words] = process.argv.slice(2);
const run = subcommands[name];
const list = Object.keys(subcommands).sort().join(", ");
if (run !== undefined) {
  try {
    await run(words);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
} else if (name === "help") {
  console.log(`Subcommands: ${list}`);
} else {
  console.error(`agnhost ${name}: Fairlead's agnhost has no such subcommand; there are: ${list}`);
  process.exit(1);
}
