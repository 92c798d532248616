/** What would have to be otherwise for a Service to have (more) ready endpoints: found by trying, not by guessing. */
import type { Pod, Service } from "../../api/types.ts";
import { isPodFinished } from "../endpoints/pod-state.ts";
import { matchesSelector, type Selection } from "../endpoints/select.ts";

type Labels = Readonly<Record<string, string>>;

/** Sentences, the most telling first. `everywhere`: pods of all namespaces. */
export function counterfactuals(
  service: Service,
  inNamespace: readonly Pod[],
  selection: Selection,
  everywhere: readonly Pod[],
): readonly string[] {
  if (selection.reason !== undefined) return [];
  const selector = service.spec?.selector ?? {};
  const matching = inNamespace.filter(({ metadata }) => matchesSelector(selector, metadata.labels));
  if (matching.length === 0) return selectorHints(service, selector, inNamespace, everywhere);
  return [...portHints(selection), ...finishedHint(matching)];
}

function selectorHints(service: Service, selector: Labels, inNamespace: readonly Pod[], everywhere: readonly Pod[]): readonly string[] {
  const hints = Object.entries(selector).flatMap(([key, wanted]) => keyHints(selector, key, wanted, inNamespace));
  const elsewhere = everywhere.filter(
    ({ metadata }) => metadata.namespace !== service.metadata.namespace && matchesSelector(selector, metadata.labels),
  );
  const namespaces = [...new Set(elsewhere.map(({ metadata }) => metadata.namespace))].sort();
  if (namespaces.length > 0)
    hints.push(
      `${pods(elsewhere.length)} in namespace ${namespaces.join(", ")} match${elsewhere.length === 1 ? "es" : ""}; a Service selects only pods of its own namespace.`,
    );
  if (inNamespace.length === 0) hints.push(`Namespace ${service.metadata.namespace} has no pods at all.`);
  return hints;
}

/** If this one key of the selector were another value, or were not there: how many pods would match? */
function keyHints(selector: Labels, key: string, wanted: string, candidates: readonly Pod[]): string[] {
  const { [key]: _, ...others } = selector;
  const near = candidates.filter(({ metadata }) => matchesSelector(others, metadata.labels));
  const values = new Map<string | undefined, number>();
  for (const { metadata } of near) values.set(metadata.labels?.[key], (values.get(metadata.labels?.[key]) ?? 0) + 1);
  return [...values]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .flatMap(([value, number]) => {
      const verb = number === 1 ? "matches" : "match";
      if (value !== undefined)
        return [`No pod has ${key}=${wanted}; ${pods(number)} ${verb} ${[...pairs(others), `${key}=${value}`].join(",")}.`];
      return Object.keys(others).length === 0
        ? []
        : [`${pods(number)} ${verb} ${pairs(others).join(",")} but ${number === 1 ? "has" : "have"} no label ${key}.`];
    });
}

const pairs = (labels: Labels): readonly string[] => Object.entries(labels).map(([key, value]) => `${key}=${value}`);
const pods = (number: number): string => `${number} pod${number === 1 ? "" : "s"}`;

function portHints({ missingPorts }: Selection): readonly string[] {
  const texts = missingPorts.flatMap(({ missing }) =>
    missing.map(({ servicePort, targetPort, protocol, available }) => {
      const sameName = available.find((text) => text.startsWith(`${targetPort} `));
      const port = servicePort === "" ? "the port" : `port ${servicePort}`;
      if (sameName !== undefined)
        return `The Service's ${port} is ${protocol}, but the container port is ${sameName}: the protocols must agree.`;
      return available.length === 0
        ? `Give the container port the name ${targetPort}, or set targetPort of ${port} to a number.`
        : `Set targetPort of ${port} to ${available.map((text) => text.split(" ")[0]).join(" or ")}, or name a container port ${targetPort}.`;
    }),
  );
  return [...new Set(texts)];
}

function finishedHint(matching: readonly Pod[]): readonly string[] {
  const finished = matching.filter(isPodFinished).length;
  return finished === matching.length ? [`All ${pods(finished)} that match ran to their end: a Service needs pods that keep running.`] : [];
}
