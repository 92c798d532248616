/** A kernel mode, and user space beside it for NodePorts at 127.0.0.1 and ::1, which no kernel mode but iptables has. */
import { localhostPlan } from "../../decide/proxy/localhost.ts";
import type { IpFamily } from "../../lib/ip.ts";
import type { AddressProblem, Applied, Backend, ServiceChange } from "./backend.ts";

export interface LocalhostOptions {
  readonly kernel: Backend;
  readonly userspace: Backend;
  /** Those at whose loopback address the kernel mode does not serve NodePorts itself. */
  readonly families: readonly IpFamily[];
}

/** `kernel` decides what becomes of a Service; a loopback port that cannot be bound is one problem more of it. */
export function withLocalhostNodePorts({ kernel, userspace, families }: LocalhostOptions): Backend {
  const applyAll = async (changes: readonly ServiceChange[]): Promise<readonly Applied[]> => {
    const applied = await applyKernel(kernel, changes);
    const plans = new Map(changes.map(({ key, plan }) => [key, localhostPlan(plan, families)]));
    return await Promise.all(
      applied.map(async (one): Promise<Applied> => {
        if (one.kind === "failed") return one;
        return { ...one, problems: [...one.problems, ...(await userspace.apply(one.key, plans.get(one.key)))] };
      }),
    );
  };
  const { setServiceCIDRs, setNode, heal, completed } = kernel;
  return {
    mode: kernel.mode,
    applyAll,
    async apply(key, plan): Promise<readonly AddressProblem[]> {
      const [result] = await applyAll([{ key, plan }]);
      if (result?.kind === "failed") throw result.error;
      return result?.problems ?? [];
    },
    ...(kernel.wholesale === undefined ? {} : { wholesale: kernel.wholesale }),
    ...(heal === undefined ? {} : { heal: () => heal.call(kernel) }),
    ...(completed === undefined ? {} : { completed: () => completed.call(kernel) }),
    ...(setServiceCIDRs === undefined ? {} : { setServiceCIDRs: (ranges) => setServiceCIDRs.call(kernel, ranges) }),
    ...(setNode === undefined ? {} : { setNode: (node) => setNode.call(kernel, node) }),
    dial: (target) => kernel.dial(target),
    takeReleased: () => [...kernel.takeReleased(), ...userspace.takeReleased()],
    get served() {
      return kernel.served + userspace.served;
    },
    async stop() {
      await Promise.all([kernel.stop(), userspace.stop()]);
    },
  };
}

async function applyKernel(kernel: Backend, changes: readonly ServiceChange[]): Promise<readonly Applied[]> {
  if (kernel.applyAll !== undefined) return await kernel.applyAll(changes);
  const results: Applied[] = [];
  for (const { key, plan } of changes) {
    try {
      results.push({ key, kind: "applied", problems: await kernel.apply(key, plan) });
    } catch (error) {
      results.push({ key, kind: "failed", error });
    }
  }
  return results;
}
