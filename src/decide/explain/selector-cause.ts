/** Why no pod matches a selector: nobody makes pods, they are elsewhere, or a key or value is not what the pods have. */
import type { Pod, Service } from "../../api/types.ts";
import { matchesSelector } from "../endpoints/select.ts";
import { isNear } from "./nearest.ts";
import { refOf } from "./snapshot.ts";
import { listed, plural, type Outcome, type Proposal } from "./walk.ts";
import type { World } from "./world.ts";

type Labels = Readonly<Record<string, string>>;

export function selectorCause(world: World, service: Service): Outcome {
  const { namespace = "", name = "" } = service.metadata;
  const selector = service.spec?.selector ?? {};
  const id = `${namespace}/${name}`;
  const text = `no pod in ${namespace} matches the selector ${labelText(selector)} of Service ${id}`;
  const made = ofWorkload(world, namespace, selector, text);
  if (made !== undefined) return made;
  const here = world.podsIn(namespace);
  const changes = nearMisses(selector, here);
  const close = changes.filter(({ near }) => near);
  if (close.length > 0) return typo(service, selector, close, text);
  const elsewhere = world.snapshot.pods.filter(
    ({ metadata }) => metadata.namespace !== namespace && matchesSelector(selector, metadata.labels),
  );
  if (elsewhere.length > 0) return inOtherNamespace(elsewhere, id, text);
  if (here.length === 0) return { code: "NoPodsAtAll", text: `${text}: namespace ${namespace} has no pods` };
  // With one key of several wrong, the others say whom it means.
  const some = changes.filter(({ others }) => others > 0);
  if (some.length > 0) return typo(service, selector, some, text);
  return { code: "SelectorMatchesNothing", text: `${text}: its pods have ${listed(labelsIn(here))}` };
}

/** A Deployment or StatefulSet whose pods would match, and that has none. */
function ofWorkload(world: World, namespace: string, selector: Labels, text: string): Outcome | undefined {
  const { deployments, statefulSets } = world.snapshot;
  const all = [
    ...deployments.map((each) => ({ kind: "Deployment", each })),
    ...statefulSets.map((each) => ({ kind: "StatefulSet", each })),
  ];
  const makers = all.filter(
    ({ each }) => each.metadata.namespace === namespace && matchesSelector(selector, each.spec?.template?.metadata?.labels),
  );
  const [maker] = makers;
  if (maker === undefined) return undefined;
  const { kind, each } = maker;
  const ref = refOf(kind, each);
  const what = `${kind} ${namespace}/${each.metadata.name}`;
  if (makers.every((one) => one.each.spec?.replicas === 0)) {
    const edit = { ref, field: "spec.replicas", from: 0, to: 1 };
    return {
      code: "ScaledToZero",
      text: `${text}: ${what} would make some, and has 0 replicas`,
      proposals: [{ text: `Scale ${what} to 1 or more`, edit }],
    };
  }
  const failure = each.status?.conditions?.find(({ type, status }) => type === "ReplicaFailure" && status === "True");
  return {
    code: "PodsNotCreated",
    text: `${text}: ${what} has made none${failure === undefined ? "" : `: ${failure.message ?? failure.reason}`}`,
  };
}

interface NearMiss {
  readonly key: string;
  /** What the selector should say instead of this pair. */
  readonly instead: { readonly key: string; readonly value: string } | undefined;
  readonly pods: number;
  /** How many other pairs of the selector these pods match. */
  readonly others: number;
  readonly near: boolean;
}

/** If one pair of the selector were another, or were not there: which pods would match? The most telling first. */
function nearMisses(selector: Labels, pods: readonly Pod[]): readonly NearMiss[] {
  const found = Object.entries(selector).flatMap(([key, wanted]) => {
    const { [key]: _, ...others } = selector;
    const candidates = pods.filter(({ metadata }) => matchesSelector(others, metadata.labels));
    return [...otherValues(key, wanted, candidates), ...otherKeys(selector, key, wanted, candidates)].map((miss) => ({
      ...miss,
      others: Object.keys(others).length,
    }));
  });
  return found.toSorted((a, b) => Number(b.near) - Number(a.near) || b.others - a.others || b.pods - a.pods);
}

type Miss = Omit<NearMiss, "others">;

function otherValues(key: string, wanted: string, pods: readonly Pod[]): readonly Miss[] {
  const values = Map.groupBy(
    pods.filter(({ metadata }) => metadata.labels?.[key] !== undefined),
    ({ metadata }) => metadata.labels?.[key] as string,
  );
  return [...values].map(([value, having]) => ({ key, instead: { key, value }, pods: having.length, near: isNear(wanted, value) }));
}

/** The value is there, under another key: `app` against `app.kubernetes.io/name`. */
function otherKeys(selector: Labels, key: string, wanted: string, pods: readonly Pod[]): readonly Miss[] {
  const lacking = pods.filter(({ metadata }) => metadata.labels?.[key] === undefined);
  const keys = Map.groupBy(
    lacking.flatMap(({ metadata }) =>
      Object.entries(metadata.labels ?? {}).filter(([other, value]) => value === wanted && !(other in selector)),
    ),
    ([other]) => other,
  );
  const renamed = [...keys].map(([other, having]) => ({ key, instead: { key: other, value: wanted }, pods: having.length, near: true }));
  if (renamed.length > 0 || Object.keys(selector).length === 1 || lacking.length === 0) return renamed;
  return [{ key, instead: undefined, pods: lacking.length, near: false }];
}

function typo(service: Service, selector: Labels, misses: readonly NearMiss[], text: string): Outcome {
  const [best] = misses as [NearMiss];
  const says =
    best.instead === undefined
      ? `${plural(best.pods, "pod")} ${best.pods === 1 ? "has" : "have"} no label ${best.key}`
      : `${plural(best.pods, "pod")} ${best.pods === 1 ? "has" : "have"} ${best.instead.key}=${best.instead.value}`;
  return {
    code: "SelectorTypo",
    text: `${text}: ${says}`,
    proposals: misses.slice(0, 3).map((miss) => proposalOf(service, selector, miss)),
  };
}

function proposalOf(service: Service, selector: Labels, { key, instead }: NearMiss): Proposal {
  const ref = refOf("Service", service);
  const { [key]: from, ...rest } = selector;
  const to = instead === undefined ? rest : { ...rest, [instead.key]: instead.value };
  const id = `${ref.namespace}/${ref.name}`;
  if (instead?.key === key) {
    const edit = { ref, field: `spec.selector[${key}]`, from, to: instead.value };
    return { text: `Set ${key} in the selector of Service ${id} to ${instead.value}`, edit };
  }
  const what =
    instead === undefined ? `Take ${key} out of the selector` : `Put ${instead.key}=${instead.value} into the selector in place of ${key}`;
  return { text: `${what} of Service ${id}`, edit: { ref, field: "spec.selector", from: selector, to } };
}

function inOtherNamespace(pods: readonly Pod[], id: string, text: string): Outcome {
  const namespaces = [...new Set(pods.map(({ metadata }) => metadata.namespace ?? ""))].toSorted();
  const proposals = namespaces
    .slice(0, 3)
    .map((each): Proposal => ({ text: `Make Service ${id} in namespace ${each}, where the pods are` }));
  return {
    code: "PodsInOtherNamespace",
    text: `${text}; ${plural(pods.length, "pod")} in ${listed(namespaces)} would, and a Service selects in its own namespace alone`,
    proposals,
  };
}

function labelsIn(pods: readonly Pod[]): readonly string[] {
  return [...new Set(pods.map(({ metadata }) => labelText(metadata.labels ?? {}) || "no labels"))].toSorted();
}

export const labelText = (labels: Labels): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
