/** Which mode a cluster runs in, and getting this process into the namespaces that it needs. */
import type { ClusterMode } from "../cmd/cluster.ts";
import { FairleadError } from "../lib/errors.ts";
import type { ModeChoice } from "./options.ts";
import type { Terminal } from "./terminal.ts";

/**
 * `before` runs while this process still sees the whole machine (other clusters' processes). In namespaces mode the process is
 * then replaced by itself inside them, and comes here a second time. Throws FL_UNSUPPORTED where the mode cannot be had.
 */
export async function takeMode(choice: ModeChoice, before: () => void, _terminal: Terminal): Promise<ClusterMode> {
  before();
  if (choice === "namespaces" && process.env["FAIRLEAD_INSIDE"] !== undefined) return "namespaces";
  if (choice === "namespaces") throw new FairleadError("FL_UNSUPPORTED", "namespaces mode is not built into this version");
  return "loopback";
}
