/** Renders a plan as what ipvs mode wants of the kernel, one address family at a time. Pure. */
import { parseCidr, type IpFamily } from "../../../../lib/ip.ts";
import type { PlanNode, ServicePlan } from "../../plan.ts";
import type { IptablesRules } from "../iptables/rules.ts";
import { IpvsModel } from "./model.ts";
import { ipvsRules } from "./rules.ts";
import type { ContributionOptions } from "./contribution.ts";
import type { IpvsScheduler, IpvsState } from "./state.ts";

export interface IpvsOptions {
  readonly family: IpFamily;
  readonly node: Pick<PlanNode, "addresses" | "clusterCIDRs">;
  /** `--ipvs-scheduler`; default `rr`. */
  readonly scheduler?: IpvsScheduler;
  /** As the plan was made with. */
  readonly masqueradeAll?: boolean;
  /** `--iptables-masquerade-bit`; default 14. */
  readonly masqueradeBit?: number;
  /** Whether this iptables knows `MASQUERADE --random-fully` (1.6.2 and later). */
  readonly randomFully?: boolean;
}

export function renderIpvs(services: readonly ServicePlan[], options: IpvsOptions): IpvsState {
  const model = new IpvsModel(contributionOptions(options));
  for (const plan of services) model.change(`${plan.namespace}/${plan.name}`, plan);
  return { kind: "ipvs", family: options.family, ...wanted(model, options) };
}

function wanted(model: IpvsModel, options: IpvsOptions): Omit<IpvsState, "kind" | "family"> {
  return { virtualServers: model.servers, addresses: model.addresses, sets: model.sets, rules: rulesOf(model, options) };
}

export function contributionOptions({ family, node, scheduler = "rr" }: IpvsOptions): ContributionOptions {
  return { family, scheduler, nodeAddresses: new Set(node.addresses) };
}

export function rulesOf(model: Pick<IpvsModel, "filled" | "noNodeAccess">, options: IpvsOptions): IptablesRules {
  const { family, node, masqueradeAll = false, masqueradeBit = 14, randomFully = false } = options;
  return ipvsRules(model.filled, model.noNodeAccess, {
    family,
    podCIDRs: (node.clusterCIDRs ?? []).filter((text) => parseCidr(text)?.family === family),
    masqueradeAll,
    masqueradeBits: 2 ** masqueradeBit,
    randomFully,
  });
}
