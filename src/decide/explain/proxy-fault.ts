/** Whether the proxy runs on the node whose rules the packet needs: kube-proxy as kubeadm and the clouds run it, a pod of a DaemonSet. */
import type { Pod } from "../../api/types.ts";
import { isPodReady } from "../endpoints/pod-state.ts";
import { podFault } from "./pod-fault.ts";
import { readinessDetail } from "./readiness.ts";
import { refOf } from "./snapshot.ts";
import { step, type Outcome, type Walk } from "./walk.ts";

/** Undefined: it runs, or this cluster has none that could be seen. */
export function proxyFault(walk: Walk, node: string): Outcome | undefined {
  const pods = walk.world.podsIn("kube-system").filter(isKubeProxy);
  const here = pods.find((pod) => pod.spec?.nodeName === node);
  if (here === undefined || isPodReady(here)) return undefined;
  const ref = refOf("Pod", here);
  const why = podFault(walk.world, here) === undefined ? "" : `: ${readinessDetail(here, "NotReady")}`;
  const text = `kube-proxy on node ${node} is not running (pod kube-system/${ref.name}${why}): new rules do not reach the node`;
  step(walk, { kind: "rule", ok: false, text, ref });
  return { code: "ProxyDown", text, proposals: [{ text: `See why: kubectl logs -n kube-system ${ref.name} --previous` }] };
}

function isKubeProxy({ metadata }: Pod): boolean {
  return metadata.labels?.["k8s-app"] === "kube-proxy" || metadata.labels?.["component"] === "kube-proxy";
}
