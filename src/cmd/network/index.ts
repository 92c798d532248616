/** Chooses the network that a cluster stands on, and what runs its pods. */
import type { ClusterPaths } from "../../cli/paths.ts";
import { version } from "../../cli/version.ts";
import type { Connect, Runtime } from "../../kubelet/runtime/runtime.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Logger } from "../../lib/log.ts";
import type { ClusterRuntime } from "../cluster-options.ts";
import type { Interference } from "../interference.ts";
import { interferedWays } from "./interfered.ts";
import type { ClusterMode, ClusterNetwork } from "./network.ts";

export interface NetworkOptions {
  readonly mode?: ClusterMode;
  readonly runtime: ClusterRuntime;
  readonly nodes?: number;
  readonly nodeCIDRMaskSize?: number;
  /** What the cluster stands on is lost: it cannot go on. */
  readonly onFailure: (error: Error) => void;
  readonly paths: ClusterPaths;
  readonly clock: Clock;
  readonly log: Logger;
  /** A test's faults; only loopback mode has a place for those of endpoints. */
  readonly interference?: Interference;
  /** A small part of the machine's loopback addresses, so that hundreds of clusters have room. */
  readonly smallNetwork?: boolean;
  /** Whether nodes run pods at all. */
  readonly wantsPods: boolean;
  readonly imageSources?: readonly string[];
  /** Nodes and pods are on paper only. */
  readonly simulate?: boolean;
}

/** Throws FL_UNSUPPORTED for what the mode cannot do, FL_LISTEN where its addresses are taken. */
export async function createNetwork(options: NetworkOptions): Promise<ClusterNetwork> {
  if (options.simulate === true) {
    const { createSimulatedNetwork } = await import("./simulated.ts");
    const { nodeCIDRMaskSize } = options;
    return await createSimulatedNetwork({ root: options.paths.root, ...(nodeCIDRMaskSize === undefined ? {} : { nodeCIDRMaskSize }) });
  }
  if (options.mode === "namespaces") {
    if (options.runtime.kind === "function")
      throw new FairleadError("FL_USAGE", "pods that are functions live in this process: loopback mode");
    const { createNamespacedNetwork } = await import("./namespaced.ts");
    return await createNamespacedNetwork(options);
  }
  if ((options.nodes ?? 1) > 1)
    throw new FairleadError("FL_UNSUPPORTED", `--nodes ${options.nodes}: in loopback mode a cluster has one node`, {
      hint: "Several nodes need namespaces mode: 'fairlead doctor' says what this machine lacks for it.",
    });
  const ways = options.interference && interferedWays(options.interference, options.clock);
  if (options.imageSources !== undefined)
    throw new FairleadError("FL_UNSUPPORTED", "--image-source: in loopback mode pods are programs of this machine", {
      hint: "Real images need namespaces mode: 'fairlead doctor' says what this machine lacks for it.",
    });
  const { createLoopbackNetwork } = await import("./loopback.ts");
  return await createLoopbackNetwork({
    root: options.paths.root,
    small: options.smallNetwork === true,
    runtime: options.wantsPods ? await loopbackRuntime(options, ways?.probe) : undefined,
    ways,
  });
}

async function loopbackRuntime({ runtime, paths, log }: NetworkOptions, probe: Connect | undefined): Promise<Runtime> {
  const connect = probe === undefined ? {} : { connect: probe };
  if (runtime.kind === "function") {
    const { createFunctionRuntime } = await import("../../kubelet/runtime/function/function-runtime.ts");
    return createFunctionRuntime({ handlers: runtime.functions, version, ...connect });
  }
  const [{ createProcessRuntime }, { builtInImages }] = await Promise.all([
    import("../../kubelet/runtime/process/process-runtime.ts"),
    import("../images.ts"),
  ]);
  return createProcessRuntime({ directory: `${paths.pods}/pods`, images: builtInImages(), version, log, ...connect });
}
