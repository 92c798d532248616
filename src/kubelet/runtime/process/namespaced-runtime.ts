/** The process runtime with namespaces for every pod and container. */
import { readFileSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import type { NodeNetwork } from "../../../host/namespaces/namespaces.ts";
import { loadLibc } from "../../../host/syscalls/libc.ts";
import { FairleadError } from "../../../lib/errors.ts";
import type { OciTool } from "../oci/tool.ts";
import { Cgroups, machineCgroups } from "../cgroups/cgroups.ts";
import type { Runtime } from "../runtime.ts";
import { NamespacedPlacement } from "./namespaced/namespaced-placement.ts";
import { isMachineRoot } from "./namespaced/process-user.ts";
import { ProcessRuntime, type ProcessRuntimeOptions } from "./process-runtime.ts";

export interface NamespacedRuntimeOptions extends ProcessRuntimeOptions {
  /** Of the node whose pods these are. */
  readonly network: NodeNetwork;
  readonly nodeName: string;
  readonly dns: {
    /** Of the cluster, IPv4 first. */
    readonly servers: readonly string[];
    readonly clusterDomain: string;
    /** What `dnsPolicy: Default` copies; name servers on the host's loopback in it give way to the cluster's. */
    readonly hostResolvConf: string;
  };
  /** Further files and directories that no container sees. The user's home is one already. */
  readonly hidden?: readonly string[];
  /** What runs containers of real images. */
  readonly oci?: OciTool;
  /** The process id that the host's /proc shows for one of ours, where that can be known. */
  readonly hostPid?: (pid: number) => number | undefined;
}

/** Throws FL_UNSUPPORTED where there is no FFI. */
export function createNamespacedRuntime(options: NamespacedRuntimeOptions): Runtime {
  const libc = loadLibc();
  if (libc === undefined) throw new FairleadError("FL_UNSUPPORTED", "pods in namespaces need the native library koffi, which is not there");
  const { directory, network, nodeName, dns, hidden = [], hostPid, oci } = options;
  const isRoot = isMachineRoot(readFileSync("/proc/self/uid_map", "utf8"), process.getuid?.() ?? -1);
  const cgroups = machineCgroups(isRoot);
  const placement = new NamespacedPlacement({
    directory,
    network,
    nodeName,
    dns,
    libc,
    hidden: [homedir(), directory, ...hidden].flatMap(namesOf),
    isRoot,
    ...(cgroups.kind === "found" ? { cgroups: new Cgroups(cgroups, directory) } : { noLimits: cgroups.why }),
    ...(hostPid === undefined ? {} : { hostPid }),
    ...(oci === undefined ? {} : { oci }),
  });
  return new ProcessRuntime(options, placement);
}

/** A path, and where its links lead: hidden by both names. */
function namesOf(path: string): readonly string[] {
  try {
    return [...new Set([path, realpathSync(path)])];
  } catch {
    // It is not there (yet).
    return [path];
  }
}
