/** Every endpoint of a Service port and every pod that the selector means, each kept or left out with its reason. */
import { joinHostPort } from "../../lib/ip.ts";
import type { LeftOutEndpoint, PlanEndpoint, PlanNode, PortPlan } from "../proxy/plan.ts";
import { proxyReasons } from "../proxy/reasons.ts";
import { podsBehind } from "./cause.ts";
import type { Candidate } from "./explanation.ts";
import { readinessDetail } from "./readiness.ts";
import { refOf, type ObjectRef } from "./snapshot.ts";
import { plural, type ServiceTarget, type Walk } from "./walk.ts";

/** Every endpoint and every pod that the selector means, each with its reason. */
export function endpointCandidates(
  walk: Walk,
  { service, port }: ServiceTarget,
  plan: PortPlan,
  kept: readonly PlanEndpoint[],
  node: PlanNode,
): readonly Candidate[] {
  const { matching, selection } = podsBehind(walk.world, service);
  const seen = new Set(kept.map(({ ip, port: number }) => joinHostPort(ip, number)));
  const names = new Set<string>();
  const chosen = kept.map((endpoint): Candidate => {
    names.add(endpoint.target ?? "");
    const where = [
      endpoint.nodeName === undefined ? "" : `on ${endpoint.nodeName}`,
      endpoint.zone === undefined ? "" : `zone ${endpoint.zone}`,
    ];
    const state = endpoint.ready ? "Ready" : "TerminatingServing";
    return {
      kept: true,
      name: joinHostPort(endpoint.ip, endpoint.port),
      reason: state,
      detail: [endpoint.target ?? "", ...where].filter(Boolean).join(", "),
      ...targetRef(endpoint.target),
    };
  });
  const out = plan.leftOut
    .filter(({ ip, port: number }) => !seen.has(joinHostPort(ip, number)))
    .map((each): Candidate => {
      names.add(each.target ?? "");
      return {
        kept: false,
        name: joinHostPort(each.ip, each.port),
        reason: each.reason,
        detail: leftOutDetail(walk, each, kept, node),
        ...targetRef(each.target),
      };
    });
  const unlisted = matching.filter(({ metadata }) => !names.has(`Pod ${metadata.namespace}/${metadata.name}`));
  const others = unlisted.map((pod): Candidate => {
    const left = selection.leftOut.find((each) => each.pod === pod);
    const found = selection.endpoints.find((each) => each.pod === pod);
    const missing = selection.missingPorts
      .find((each) => each.pod === pod)
      ?.missing.some(({ servicePort }) => servicePort === (port.name ?? ""));
    const reason = left?.reason ?? (missing === true ? "NamedPortMissing" : (found?.reason ?? "NotReady"));
    return {
      kept: false,
      name: `${pod.metadata.name}`,
      reason,
      detail: left?.detail ?? readinessDetail(pod, reason),
      ref: refOf("Pod", pod),
    };
  });
  return [...chosen, ...dedupe(out), ...others];
}

/** One that both policies leave out is told once. */
function dedupe(candidates: readonly Candidate[]): readonly Candidate[] {
  return [...new Map(candidates.map((each) => [each.name, each])).values()];
}

function targetRef(target: string | undefined): { readonly ref?: ObjectRef } {
  const [, kind, namespace, name] = /^(\S+) ([^/]*)\/(.+)$/.exec(target ?? "") ?? [];
  return kind === undefined || namespace === undefined || name === undefined ? {} : { ref: { kind, namespace, name } };
}

function leftOutDetail({ world }: Walk, { reason, target, ip }: LeftOutEndpoint, kept: readonly PlanEndpoint[], node: PlanNode): string {
  const { ref } = targetRef(target);
  const who = target === undefined ? "" : `${target}: `;
  const pod = ref?.namespace === undefined ? undefined : world.pod(ref.namespace, ref.name);
  switch (reason) {
    case "NotReady":
    case "Terminating":
      return `${who}${pod === undefined ? proxyReasons[reason] : readinessDetail(pod, reason)}`;
    case "HintedForOtherZone": {
      const zone = node.labels?.["topology.kubernetes.io/zone"] ?? "";
      return `${who}${proxyReasons[reason]} (${plural(kept.length, "endpoint")} hinted for zone ${zone === "" ? "?" : zone})`;
    }
    case "InvalidAddress":
      return `${who}${JSON.stringify(ip)}: ${proxyReasons[reason]}`;
    default:
      return `${who}${proxyReasons[reason]}`;
  }
}
