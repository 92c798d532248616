/** Fields of a pod without effect where pods are plain processes of one network. Pure. */
import type { Container, Pod, Volume, VolumeMount } from "../../../../api/types.ts";
import type { IgnoredField } from "../../runtime.ts";

type Rule<T> = readonly [path: string, why: string, set: (value: T) => boolean];

const podRules: readonly Rule<NonNullable<Pod["spec"]>>[] = [
  ["hostNetwork", "all pods share this machine's network; the pod keeps an address of its own", (spec) => spec.hostNetwork === true],
  ["hostPID", "all pods share this machine's processes", (spec) => spec.hostPID === true],
  ["hostIPC", "all pods share this machine's memory segments", (spec) => spec.hostIPC === true],
  ["shareProcessNamespace", "all pods share this machine's processes", (spec) => spec.shareProcessNamespace === true],
  ["hostAliases", "all pods share this machine's /etc/hosts", (spec) => (spec.hostAliases ?? []).length > 0],
  [
    "dnsPolicy",
    "a pod's process uses this machine's resolver; cluster names are reached through HTTP_PROXY and ALL_PROXY",
    (spec) => (spec.dnsPolicy ?? "ClusterFirst") !== "ClusterFirst",
  ],
  [
    "dnsConfig",
    "a pod's process uses this machine's resolver",
    (spec) => spec.dnsConfig !== undefined && Object.keys(spec.dnsConfig).length > 0,
  ],
  ["runtimeClassName", "this node has one runtime", (spec) => spec.runtimeClassName !== undefined],
  ["securityContext", "processes run as the user who runs Fairlead", (spec) => hasContent(spec.securityContext)],
  ["imagePullSecrets", "no images are pulled", (spec) => (spec.imagePullSecrets ?? []).length > 0],
];

const containerRules: readonly Rule<Container>[] = [
  ["resources.limits", "processes share the whole machine", (container) => hasContent(container.resources?.limits)],
  ["securityContext", "processes run as the user who runs Fairlead", (container) => hasContent(container.securityContext)],
  ["volumeDevices", "there are no block devices", (container) => (container.volumeDevices ?? []).length > 0],
  ["stdin", "a container's standard input is empty", (container) => container.stdin === true],
  ["tty", "a container's main process has no terminal", (container) => container.tty === true],
  [
    "ports.hostPort",
    "the container's port is reached at the pod's address only",
    (container) => (container.ports ?? []).some(({ hostPort }) => (hostPort ?? 0) > 0),
  ],
];

const volumeRules: readonly Rule<Volume>[] = [
  ["emptyDir.medium", "the directory lies on disk", (volume) => (volume.emptyDir?.medium ?? "") !== ""],
  [
    "projected.sources.clusterTrustBundle",
    "no trust bundles are made",
    (volume) => (volume.projected?.sources ?? []).some(({ clusterTrustBundle }) => clusterTrustBundle !== undefined),
  ],
];

export function ignoredFields(pod: Pod): readonly IgnoredField[] {
  const spec = pod.spec;
  if (spec === undefined) return [];
  const lists: readonly (readonly [string, readonly Container[]])[] = [
    ["spec.initContainers", spec.initContainers ?? []],
    ["spec.containers", spec.containers],
  ];
  return [
    ...broken("spec", spec, podRules),
    ...lists.flatMap(([path, containers]) => containers.flatMap((container, i) => broken(`${path}[${i}]`, container, containerRules))),
    ...(spec.volumes ?? []).flatMap((volume, i) => broken(`spec.volumes[${i}]`, volume, volumeRules)),
    ...mountFields(spec),
    ...((spec.ephemeralContainers ?? []).length > 0 ? [{ field: "spec.ephemeralContainers", why: "this node runs none" }] : []),
  ];
}

const mountRules: readonly Rule<VolumeMount>[] = [
  ["mountPropagation", "there are no mounts, only links", (mount) => (mount.mountPropagation ?? "None") !== "None"],
  ["recursiveReadOnly", "there are no mounts, only links", (mount) => (mount.recursiveReadOnly ?? "Disabled") !== "Disabled"],
];

/** `readOnly` is not listed for volumes made of API objects: what is written there is gone with the next change anyway. */
function mountFields(spec: NonNullable<Pod["spec"]>): readonly IgnoredField[] {
  const writable = new Set(
    (spec.volumes ?? []).filter(({ emptyDir, hostPath }) => (emptyDir ?? hostPath) !== undefined).map(({ name }) => name),
  );
  const rules: typeof mountRules = [
    ...mountRules,
    ["readOnly", "there are no mounts, only links", (mount) => mount.readOnly === true && writable.has(mount.name)],
  ];
  return spec.containers.flatMap((container, i) =>
    (container.volumeMounts ?? []).flatMap((mount, j) => broken(`spec.containers[${i}].volumeMounts[${j}]`, mount, rules)),
  );
}

function broken<T>(path: string, value: T, rules: readonly Rule<T>[]): readonly IgnoredField[] {
  return rules.filter(([, , set]) => set(value)).map(([field, why]) => ({ field: `${path}.${field}`, why }));
}

function hasContent(value: object | undefined): boolean {
  return value !== undefined && Object.values(value).some((part) => part !== undefined && part !== false);
}
