/**
 * DefaultTolerationSeconds: a pod stays five minutes on a node that is not ready or not reachable, unless it says
 * otherwise (`plugin/pkg/admission/defaulttolerationseconds`).
 */
import { pods } from "../../api/resources.ts";
import type { Draft } from "../../api/object.ts";
import type { Pod, Toleration } from "../../api/types.ts";
import type { AdmissionPlugin } from "./admission.ts";

const tolerationSeconds = 300;
const taints = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] as const;

export const defaultTolerations: AdmissionPlugin = {
  name: "DefaultTolerationSeconds",
  admit({ kind, operation, subresource, object }) {
    // Also of an update: who sends again what he sent first sends it without them.
    if (kind.resource.plural !== pods.plural || kind.resource.group !== "" || operation === "DELETE" || subresource !== undefined) return;
    const { spec } = object as Draft<Pod>;
    if (spec === undefined) return;
    const given = spec.tolerations ?? [];
    const missing = taints.filter((key) => !given.some((toleration) => tolerates(toleration, key)));
    if (missing.length > 0) spec.tolerations = [...given, ...missing.map(toleration)];
  },
};

const toleration = (key: string) => ({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds });

function tolerates({ key = "", effect = "" }: Toleration, taint: string): boolean {
  return (key === taint || key === "") && (effect === "NoExecute" || effect === "");
}
