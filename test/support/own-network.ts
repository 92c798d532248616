/** A script that makes links, addresses and rules: run again, by itself, in a network namespace of its own. */
import { spawnSync } from "node:child_process";

const mark = "FAIRLEAD_OWN_NETWORK";

/** Returns in the namespace; outside it never does. Needs root, as whatever the caller does there will. */
export function inOwnNetwork(): void {
  if (process.env[mark] === "1") return;
  const done = spawnSync("unshare", ["--net", "--", process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    stdio: "inherit",
    env: { ...process.env, [mark]: "1" },
  });
  process.exit(done.status ?? 1);
}
