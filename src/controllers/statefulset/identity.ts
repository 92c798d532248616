/** Who a pod of a StatefulSet is: its ordinal, name, host name, claims and revision (upstream `stateful_set_utils.go`). Pure. */
import { statefulSets } from "../../api/resources.ts";
import type { ControllerRevision, PersistentVolumeClaim, Pod, StatefulSet, Volume } from "../../api/types.ts";
import { controllerReference } from "../claim.ts";
import { podFromTemplate } from "../pod-control.ts";
import { podRevisionLabel, templateOf } from "../revision-history.ts";

export const podNameLabel = "statefulset.kubernetes.io/pod-name";
export const podIndexLabel = "apps.kubernetes.io/pod-index";

/** The number at the end of a pod's name; undefined when the name is not one that the set gives. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const prefix = `${set.metadata.name}-`;
  const { name = "" } = pod.metadata;
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : "";
  return /^(0|[1-9]\d{0,8})$/.test(rest) ? Number(rest) : undefined;
}

export const podName = (set: StatefulSet, ordinal: number): string => `${set.metadata.name}-${ordinal}`;

export const claimName = (template: PersistentVolumeClaim, set: StatefulSet, ordinal: number): string =>
  `${template.metadata.name}-${podName(set, ordinal)}`;

export const revisionOf = (pod: Pod): string => pod.metadata.labels?.[podRevisionLabel] ?? "";

export function podOf(set: StatefulSet, ordinal: number, revision: ControllerRevision): Pod {
  const pod = podFromTemplate(set, templateOf(revision), controllerReference(set, statefulSets));
  return withIdentity(set, ordinal, {
    ...pod,
    metadata: {
      name: podName(set, ordinal),
      ...withoutGenerateName(pod.metadata),
      labels: { ...pod.metadata.labels, [podRevisionLabel]: revision.metadata.name ?? "" },
    },
  });
}

function withoutGenerateName(metadata: Pod["metadata"]): Pod["metadata"] {
  const { generateName: _, ...named } = metadata;
  return named;
}

function withIdentity(set: StatefulSet, ordinal: number, pod: Pod): Pod {
  const name = podName(set, ordinal);
  const { serviceName = "" } = set.spec ?? {};
  const volumes = withClaims(set, ordinal, pod.spec?.volumes ?? []);
  return {
    ...pod,
    metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, [podNameLabel]: name, [podIndexLabel]: String(ordinal) } },
    spec: {
      ...pod.spec,
      containers: pod.spec?.containers ?? [],
      hostname: name,
      ...(serviceName === "" ? {} : { subdomain: serviceName }),
      ...(volumes.length === 0 ? {} : { volumes }),
    },
  };
}

/** A claim's volume wins over one of the same name in the template. */
function withClaims(set: StatefulSet, ordinal: number, volumes: readonly Volume[]): readonly Volume[] {
  const templates = set.spec?.volumeClaimTemplates ?? [];
  const names = new Set(templates.map(({ metadata }) => metadata.name));
  const claims = templates.map((template): Volume => ({
    name: template.metadata.name ?? "",
    persistentVolumeClaim: { claimName: claimName(template, set, ordinal) },
  }));
  return [...claims, ...volumes.filter(({ name }) => !names.has(name))];
}

/** The claims that a pod of this ordinal mounts. */
export function claimsOf(set: StatefulSet, ordinal: number): readonly PersistentVolumeClaim[] {
  return (set.spec?.volumeClaimTemplates ?? []).map((template) => ({
    ...(template.spec === undefined ? {} : { spec: template.spec }),
    metadata: {
      ...template.metadata,
      name: claimName(template, set, ordinal),
      ...(set.metadata.namespace === undefined ? {} : { namespace: set.metadata.namespace }),
      labels: { ...template.metadata.labels, ...set.spec?.selector.matchLabels },
    },
  }));
}

/** Labels that the set's pods must carry; a pod that somebody relabeled gets them back. Undefined: nothing to mend. */
export function mended(set: StatefulSet, ordinal: number, pod: Pod): Pod | undefined {
  const name = podName(set, ordinal);
  const { labels = {} } = pod.metadata;
  if (labels[podNameLabel] === name && labels[podIndexLabel] === String(ordinal)) return undefined;
  return { ...pod, metadata: { ...pod.metadata, labels: { ...labels, [podNameLabel]: name, [podIndexLabel]: String(ordinal) } } };
}
