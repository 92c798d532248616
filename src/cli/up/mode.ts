/** Which mode a cluster runs in, and getting this process into the namespaces that it needs. */
import type { ClusterMode } from "../../cmd/cluster-options.ts";
import { quickMode } from "../../host/capabilities/quick.ts";
import { enterNamespaces } from "../../host/launch/enter.ts";
import { settleInside } from "../../host/launch/inside.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { ModeChoice } from "../options.ts";

export interface TakenMode {
  readonly mode: ClusterMode;
  /** This process as the whole machine sees it. */
  readonly pid: number;
  /** Why it is not the better one. */
  readonly why?: string;
}

/**
 * `former`: in which the cluster was before; its objects hold addresses of that mode. `before` runs while this process still sees the whole machine (other clusters' processes). In namespaces mode the process is
 * then replaced by itself inside them, and comes here a second time. Throws FL_UNSUPPORTED where the mode cannot be had.
 */
export async function takeMode(asked: ModeChoice, former: ClusterMode | undefined, before: () => void): Promise<TakenMode> {
  const inside = settleInside();
  if (inside !== undefined) return { mode: "namespaces", pid: inside.hostPid };
  before();
  const choice = former === undefined ? asked : kept(asked, former);
  const loopback: TakenMode = { mode: "loopback", pid: process.pid };
  if (choice === "loopback") return loopback;
  const best = quickMode();
  if (best.mode === "loopback") {
    if (choice === "auto") return { ...loopback, ...(best.why === undefined ? {} : { why: best.why }) };
    throw new FairleadError("FL_UNSUPPORTED", `namespaces mode is not possible here: ${best.why ?? "no reason was found"}`, {
      hint: `${best.enable === undefined ? "" : `To allow it: ${best.enable}. `}'fairlead doctor' says more; --mode loopback works everywhere.`,
    });
  }
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.exit(await enterNamespaces({ command, env: process.env, userNamespace: best.userNamespace }));
}

function kept(asked: ModeChoice, former: ClusterMode): ModeChoice {
  if (asked === "auto" || asked === former) return former;
  throw new FairleadError("FL_CONFIG", `this cluster's objects have addresses of ${former} mode, which mean nothing in ${asked} mode`, {
    hint: `Start it with --mode ${former}, start another beside it (--name other), or remove its data (fairlead down --delete-data).`,
  });
}
