/** Why the proxy sends a packet to no endpoint. */
import type { Service } from "../../api/types.ts";
import { parseIp } from "../../lib/ip.ts";
import type { PlannedService, PlanNode, PortPlan } from "../proxy/plan.ts";
import type { Trace } from "../proxy/trace.ts";
import { emptyCause } from "./cause.ts";
import { addressFor } from "./client.ts";
import type { Candidate } from "./explanation.ts";
import { refOf } from "./snapshot.ts";
import type { Entrance } from "./through-service.ts";
import { listed, plural, step, type Outcome, type Proposal, type ServiceTarget, type Walk } from "./walk.ts";

export interface Whole extends ServiceTarget {
  readonly plan: PlannedService;
  readonly portPlan: PortPlan;
  readonly entrance: Entrance;
}

export function refused(
  walk: Walk,
  whole: Whole,
  traced: Exclude<Trace, { kind: "dnat" }>,
  candidates: readonly Candidate[],
  node: PlanNode,
): Outcome {
  const { service, entrance } = whole;
  const id = `${service.metadata.namespace}/${service.metadata.name}`;
  const ref = refOf("Service", service);
  const end = (outcome: Outcome): Outcome => {
    step(walk, { kind: outcome.code === "SourceNotAllowed" ? "policy" : "endpoints", ok: false, ref, text: outcome.text, candidates });
    return outcome;
  };
  if (traced.kind === "none") return end(notServed(whole, id));
  switch (traced.reason) {
    case "SourceNotAllowed":
      return end(notAllowed(walk, whole, id));
    case "NoLocalEndpoints":
      return end(notLocal(whole, id, node));
    default: {
      const usable = whole.portPlan.leftOut.filter(({ reason }) => reason === "OtherTopology");
      if (usable.length > 0) return end(topology(service, id));
      return end(emptyCause(walk.world, whole));
    }
  }
  function notServed({ port }: Whole, name: string): Outcome {
    const family = parseIp(entrance.address)?.family === 6 ? "IPv6" : "IPv4";
    return { code: "NoClusterIP", text: `Service ${name} does not serve port ${port.port} at ${entrance.address} (${family})` };
  }
}

function notAllowed({ client }: Walk, { service, entrance }: Whole, id: string): Outcome {
  const ranges = service.spec?.loadBalancerSourceRanges ?? [];
  const from = addressFor(client, entrance.address);
  const to = [...ranges, `${from}/${from.includes(":") ? 128 : 32}`];
  const edit = { ref: refOf("Service", service), field: "spec.loadBalancerSourceRanges", from: ranges, to };
  const text = `Service ${id} drops ${from}: loadBalancerSourceRanges has ${listed(ranges)}`;
  return { code: "SourceNotAllowed", text, proposals: [{ text: `Put ${from} into loadBalancerSourceRanges of Service ${id}`, edit }] };
}

function notLocal({ service, portPlan, entrance }: Whole, id: string, node: PlanNode): Outcome {
  const internal = entrance.kind === "clusterIP";
  const field = internal ? "internalTrafficPolicy" : "externalTrafficPolicy";
  const elsewhere = portPlan.leftOut.filter(({ reason }) => reason === "NotLocal").length;
  const text = `Service ${id} has ${field} Local, and ${elsewhere === 0 ? "no" : `none of its ${plural(elsewhere, "ready endpoint")}`} is on node ${node.name}`;
  const edit = { ref: refOf("Service", service), field: `spec.${field}`, from: "Local", to: "Cluster" };
  const proposals: readonly Proposal[] = [
    { text: `Set ${field} of Service ${id} to Cluster`, edit },
    { text: `Run a pod of Service ${id} on each node that gets its traffic, such as by a DaemonSet` },
  ];
  return { code: "NoLocalEndpoints", text, proposals };
}

function topology(service: Service, id: string): Outcome {
  const field = "metadata.annotations[fairlead.dev/topology-keys]";
  const from = service.metadata.annotations?.["fairlead.dev/topology-keys"] ?? "";
  const edit = { ref: refOf("Service", service), field, from, to: `${from},*` };
  const text = `Service ${id}: the annotation fairlead.dev/topology-keys (${from}) leads to no ready endpoint from here`;
  return {
    code: "TopologyLeadsNowhere",
    text,
    proposals: [{ text: `End fairlead.dev/topology-keys of Service ${id} with *: any endpoint, if none is nearer`, edit }],
  };
}
