/** For which node a plan is: a named one, that of the client, or the first; and what the plan must know of it. Pure. */
import type { Node } from "../../api/types.ts";
import { selectNodePortAddresses, type PlanNode } from "../../decide/proxy/index.ts";
import { addressesOfNode, podCIDRsOf } from "../../decide/explain/nodes.ts";
import { inRange } from "../../decide/proxy/service-info.ts";
import { FairleadError } from "../../lib/errors.ts";

export interface NodeChoice {
  /** `--node`. */
  readonly node?: string;
  /** A client: the node whose pod it is, or which it is itself. */
  readonly from?: string;
  /** `--cluster-cidr`; default: the node's own pods (as `--detect-local-mode NodeCIDR`). */
  readonly clusterCIDRs?: readonly string[];
  /** `--nodeport-addresses`; default: the node's own addresses. */
  readonly nodePortAddresses?: readonly string[];
}

/** Throws FL_USAGE where `--node` names none of the nodes. Without any node the plan knows Services' own addresses only. */
export function chooseNode(nodes: readonly Node[], choice: NodeChoice): PlanNode {
  const byName = [...nodes].sort((a, b) => ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1));
  const named = byName.find(({ metadata }) => metadata.name === choice.node);
  if (choice.node !== undefined && named === undefined && nodes.length > 0) {
    throw new FairleadError("FL_USAGE", `--node ${choice.node}: there is no such node`, {
      hint: `Nodes: ${byName.map(({ metadata }) => metadata.name).join(", ")}`,
    });
  }
  const node = named ?? byName.find((each) => isHome(each, choice.from)) ?? byName[0];
  const addresses = node === undefined ? [] : addressesOfNode(node);
  return {
    name: node?.metadata.name ?? choice.node ?? "",
    labels: node?.metadata.labels ?? {},
    addresses,
    nodePortAddresses: selectNodePortAddresses({
      cidrs: choice.nodePortAddresses ?? [],
      addresses,
      primary: addresses,
      whenEmpty: "primary",
    }),
    clusterCIDRs: choice.clusterCIDRs ?? (node === undefined ? [] : podCIDRsOf(node)),
  };
}

function isHome(node: Node, from: string | undefined): boolean {
  if (from === undefined) return false;
  return addressesOfNode(node).includes(from) || podCIDRsOf(node).some((range) => inRange(range, from));
}
