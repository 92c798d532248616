/** Why none of the pods of a Service is ready. */
import type { Pod } from "../../api/types.ts";
import { explainCodes } from "./codes.ts";
import { podFault, wrongProbePort, type PodFault } from "./pod-fault.ts";
import { readinessDetail } from "./readiness.ts";
import { refOf } from "./snapshot.ts";
import { listed, type Outcome, type Proposal } from "./walk.ts";
import type { World } from "./world.ts";

/** Of several faults the most frequent one; of equals the one that keeps a pod from going any further. */
const order: readonly PodFault[] = [
  "PodsUnscheduled",
  "ImageCannotBePulled",
  "PodsCrash",
  "NodeDown",
  "ProbePortWrong",
  "ProbeFails",
  "ReadinessGateClosed",
  "PodsNotReady",
  "PodsTerminating",
  "PodsFinished",
  "NodeUnknown",
];

export function notReady(world: World, id: string, matching: readonly Pod[]): Outcome {
  const faults = matching.flatMap((pod) => {
    const code = podFault(world, pod);
    return code === undefined ? [] : [{ pod, code }];
  });
  const count = (code: PodFault) => faults.filter((fault) => fault.code === code).length;
  const [worst] = order.toSorted((a, b) => count(b) - count(a) || order.indexOf(a) - order.indexOf(b));
  const code = worst ?? "PodsNotReady";
  const example = faults.find((fault) => fault.code === code)?.pod ?? matching[0];
  const who =
    matching.length === 1 ? `the one pod of Service ${id} is not ready` : `none of the ${matching.length} pods of Service ${id} is ready`;
  const detail = example === undefined ? explainCodes[code].meaning : `pod ${example.metadata.name}: ${detailOf(example, code)}`;
  return { code, text: `${who}: ${detail}`, proposals: example === undefined ? [] : podProposals(example, code) };
}

function detailOf(pod: Pod, code: PodFault): string {
  switch (code) {
    case "PodsFinished":
      return `it ran to its end (phase ${pod.status?.phase}): a Service needs pods that keep running`;
    case "PodsTerminating":
      return readinessDetail(pod, "Terminating");
    case "PodsUnscheduled": {
      const scheduled = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
      return `it has no node: ${scheduled?.message ?? "the scheduler has not said why"}`;
    }
    case "NodeDown":
      return `its node ${pod.spec?.nodeName} is not ready`;
    case "ProbePortWrong": {
      const wrong = wrongProbePort(pod);
      return `the readiness probe of container ${wrong?.container} asks at port ${wrong?.port}, and the containers declare ${listed((wrong?.declared ?? []).map(String))}`;
    }
    default:
      return readinessDetail(pod, "NotReady");
  }
}

function podProposals(pod: Pod, code: PodFault): readonly Proposal[] {
  const ref = refOf("Pod", pod);
  const id = `${ref.namespace}/${ref.name}`;
  switch (code) {
    case "ProbePortWrong": {
      const wrong = wrongProbePort(pod);
      return (wrong?.declared ?? []).map((port) => ({
        text: `Let the readiness probe of container ${wrong?.container} ask at port ${port}`,
      }));
    }
    case "ProbeFails":
      return [{ text: `See what the probe is told: kubectl describe pod ${ref.name} -n ${ref.namespace}` }];
    case "PodsCrash":
      return [{ text: `See how it ended: kubectl logs ${ref.name} -n ${ref.namespace} --previous` }];
    case "ImageCannotBePulled":
      return [
        { text: `Correct the image of pod ${id} (${(pod.spec?.containers ?? []).map(({ image }) => image).join(", ")}) where it is made` },
      ];
    case "PodsUnscheduled":
      return [{ text: `Make room or loosen what pod ${id} asks for: kubectl describe pod ${ref.name} -n ${ref.namespace}` }];
    case "NodeDown":
      return [{ text: `Bring node ${pod.spec?.nodeName} back, or delete it so that its pods go elsewhere` }];
    case "ReadinessGateClosed":
      return [
        {
          text: `Whoever sets ${listed((pod.spec?.readinessGates ?? []).map(({ conditionType }) => conditionType))} has not set it to True`,
        },
      ];
    case "PodsTerminating":
      return [{ text: `Let other pods be there before these go: a rolling update does so, deleting them does not` }];
    case "PodsFinished":
      return [{ text: "Run the program under a Deployment: the pods of a Job end" }];
    default:
      return [];
  }
}
