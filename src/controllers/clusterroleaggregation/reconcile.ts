/** The rules of a ClusterRole that is made of others: `admin`, `edit` and `view` grow with every operator that adds its own (upstream `pkg/controller/clusterroleaggregation`). Pure. */
import { matchesLabels, selectorOf } from "../../api/selectors.ts";
import type { ClusterRole, PolicyRule } from "../../api/types.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";

/** The rules that it should have; undefined where it has them, or where it is not made of others. */
export function aggregatedRules(role: ClusterRole, all: readonly ClusterRole[]): readonly PolicyRule[] | undefined {
  const selectors = (role.aggregationRule?.clusterRoleSelectors ?? []).map(selectorOf);
  if (selectors.length === 0) return undefined;
  const sources = [...all].sort(byName).filter(({ metadata }) => metadata.name !== role.metadata.name);
  const rules: PolicyRule[] = [];
  for (const selector of selectors) {
    for (const source of sources.filter(({ metadata }) => matchesLabels(selector, metadata.labels ?? {}))) {
      for (const rule of source.rules ?? []) if (!rules.some((present) => semanticEqual(present, rule))) rules.push(rule);
    }
  }
  return semanticEqual(rules, role.rules ?? []) ? undefined : rules;
}

function byName(a: ClusterRole, b: ClusterRole): number {
  return (a.metadata.name ?? "").localeCompare(b.metadata.name ?? "");
}
