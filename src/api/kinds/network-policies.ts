/** NetworkPolicies (networking.k8s.io/v1): stored and checked here; `src/networkpolicy` has the kernel hold to them. */
import { equalSemantics } from "../equality.ts";
import type { Draft } from "../object.ts";
import { networkPolicies } from "../resources.ts";
import { formatSelector, selectorOf } from "../selectors.ts";
import type { NetworkPolicy } from "../types.ts";
import { validateNetworkPolicy } from "../validation/network-policy.ts";
import { ageColumn, defineKind, nameColumn, orNone, text } from "./define.ts";

function applyDefaults({ spec }: Draft<NetworkPolicy>): void {
  if (spec === undefined) return;
  for (const { ports = [] } of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) for (const port of ports) port.protocol ||= "TCP";
  // A policy without rules is one about ingress, as it was before there was any other.
  if ((spec.policyTypes?.length ?? 0) === 0) spec.policyTypes = (spec.egress?.length ?? 0) > 0 ? ["Ingress", "Egress"] : ["Ingress"];
}

export const networkPolicyKind = defineKind<NetworkPolicy>({
  resource: networkPolicies,
  definition: "NetworkPolicy",
  singular: "networkpolicy",
  shortNames: ["netpol"],
  categories: [],
  subresources: [],
  nameRule: "dns1123Subdomain",
  applyDefaults,
  prepareForCreate: ({ metadata }) => {
    metadata.generation = 1;
  },
  prepareForUpdate: (policy, old) => {
    if (!equalSemantics(policy.spec, old.spec)) policy.metadata.generation = (old.metadata.generation ?? 0) + 1;
  },
  validate: validateNetworkPolicy,
  columns: [
    nameColumn,
    text("Pod-Selector", "Labels of the pods that it is about.", ({ spec }) => orNone(formatSelector(selectorOf(spec?.podSelector ?? {})))),
    ageColumn,
  ],
});
