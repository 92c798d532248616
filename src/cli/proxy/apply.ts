/** `fairlead proxy render --mode kernelspace --apply`: on a Windows node only, and untested there (src/proxy/backends/kernelspace). */
import { renderKernelspace } from "../../decide/proxy/render/kernelspace/render.ts";
import { openHcn } from "../../host/hcn/hcn.ts";
import { FairleadError } from "../../lib/errors.ts";
import { applyKernelspace } from "../../proxy/backends/kernelspace/apply.ts";
import type { Terminal } from "../terminal.ts";
import { makePlan, type ProxyOptions } from "./proxy.ts";

export interface ApplyRequest extends ProxyOptions {
  readonly mode: string;
  readonly sourceVip: string | undefined;
  readonly networkName: string | undefined;
}

export async function applyToWindows({ mode, sourceVip, networkName, ...options }: ApplyRequest, terminal: Terminal): Promise<number> {
  if (mode !== "kernelspace")
    throw new FairleadError("FL_UNSUPPORTED", `--apply is for --mode kernelspace; mode ${mode} is applied by 'fairlead proxy'`);
  // Before anything is read: elsewhere than on Windows there is nothing to apply to.
  const hcn = openHcn();
  if (networkName === undefined) throw new FairleadError("FL_CONFIG", "--apply needs --network-name, the pods' network in HNS");
  const { plan } = await makePlan(options, terminal);
  const want = renderKernelspace(plan.services, sourceVip === undefined ? {} : { sourceVip });
  const { operations, waiting } = applyKernelspace(hcn, networkName, want);
  terminal.print(`${operations} changes in HNS`);
  for (const servicePort of waiting) terminal.print(`${servicePort} waits: HNS does not know all its endpoints on this node`);
  return 0;
}
