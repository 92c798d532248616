/** Which mode a cluster runs in, and getting this process into the namespaces that it needs. */
import { spawnSync } from "node:child_process";
import type { ClusterMode } from "../cmd/cluster.ts";
import { enterNamespaces } from "../host/launch/enter.ts";
import { settleInside } from "../host/launch/inside.ts";
import { FairleadError } from "../lib/errors.ts";
import type { ModeChoice } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface TakenMode {
  readonly mode: ClusterMode;
  /** This process as the whole machine sees it. */
  readonly pid: number;
}

/**
 * `before` runs while this process still sees the whole machine (other clusters' processes). In namespaces mode the process is
 * then replaced by itself inside them, and comes here a second time. Throws FL_UNSUPPORTED where the mode cannot be had.
 */
export async function takeMode(choice: ModeChoice, before: () => void, _terminal: Terminal): Promise<TakenMode> {
  const inside = settleInside();
  if (inside !== undefined) return { mode: "namespaces", pid: inside.hostPid };
  before();
  const loopback: TakenMode = { mode: "loopback", pid: process.pid };
  if (choice === "loopback") return loopback;
  const userNamespace = process.getuid?.() !== 0;
  const works =
    spawnSync("unshare", [...(userNamespace ? ["-Ur"] : []), "-m", "-n", "--pid", "--fork", "true"], { stdio: "ignore" }).status === 0;
  if (!works && choice === "auto") return loopback;
  if (!works)
    throw new FairleadError("FL_UNSUPPORTED", "this machine does not let this user make namespaces", {
      hint: "'fairlead doctor' says what to enable; --mode loopback works everywhere.",
    });
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.exit(await enterNamespaces({ command, env: process.env, userNamespace }));
}
