/** Fields of a pod without effect where pods have namespaces of their own. Pure. */
import type { Container, Pod, PodSecurityContext, SecurityContext, Volume } from "../../../../api/types.ts";
import type { IgnoredField } from "../../runtime.ts";

type Rule<T> = readonly [path: string, why: string, set: (value: T) => boolean];
type Spec = NonNullable<Pod["spec"]>;

const oneUser = "without root there is one user; the number is only shown";

const podRules: readonly Rule<Spec>[] = [
  ["hostIPC", "all pods share this machine's memory segments anyway", (spec) => spec.hostIPC === true],
  ["shareProcessNamespace", "each container has a process table of its own", (spec) => spec.shareProcessNamespace === true],
  ["runtimeClassName", "this node has one runtime", (spec) => spec.runtimeClassName !== undefined],
];

const pullSecretsRule: Rule<Spec> = ["imagePullSecrets", "no images are pulled", (spec) => (spec.imagePullSecrets ?? []).length > 0];

const sharedSecurity: readonly Rule<PodSecurityContext | SecurityContext>[] = [
  ["seLinuxOptions", "no labels are set", (context) => hasContent(context.seLinuxOptions)],
  ["appArmorProfile", "no profile is loaded", (context) => context.appArmorProfile !== undefined],
  [
    "seccompProfile",
    "system calls are not filtered",
    (context) => context.seccompProfile !== undefined && context.seccompProfile.type !== "Unconfined",
  ],
];

const rootlessRules: readonly Rule<PodSecurityContext>[] = [
  ["supplementalGroups", oneUser, (context) => (context.supplementalGroups ?? []).length > 0],
  ["fsGroup", oneUser, (context) => context.fsGroup !== undefined],
];

const containerRules: readonly Rule<Container>[] = [
  ["volumeDevices", "there are no block devices", (container) => (container.volumeDevices ?? []).length > 0],
  [
    "volumeMounts.mountPropagation",
    "mounts made inside stay inside",
    (container) => (container.volumeMounts ?? []).some(({ mountPropagation }) => (mountPropagation ?? "None") !== "None"),
  ],
];

function limitsRule(why: string): Rule<Container> {
  const limits = ({ resources }: Container) => hasContent({ ...resources?.limits, "ephemeral-storage": undefined });
  return ["resources.limits", `${why}; ephemeral-storage alone is watched`, limits];
}

/** Where a container is a plain process. */
const processRules: readonly Rule<Container>[] = [
  [
    "securityContext.capabilities.add",
    "a container has no capability outside its own user namespace",
    (container) => (container.securityContext?.capabilities?.add ?? []).length > 0,
  ],
  [
    "securityContext.procMount",
    "/proc is the kernel's own",
    (container) => (container.securityContext?.procMount ?? "Default") !== "Default",
  ],
];

const volumeRules: readonly Rule<Volume>[] = [
  ["emptyDir.medium", "there are no huge pages", ({ emptyDir }) => (emptyDir?.medium ?? "").startsWith("HugePages")],
  [
    "projected.sources.clusterTrustBundle",
    "no trust bundles are made",
    (volume) => (volume.projected?.sources ?? []).some(({ clusterTrustBundle }) => clusterTrustBundle !== undefined),
  ],
];

export interface IgnoredFieldsOptions {
  readonly isRoot: boolean;
  /** Whether a real image stands behind a container, so that an OCI runtime runs it. Default: none. */
  readonly isReal?: (container: Container) => boolean;
  /** Why limits of CPU and memory cannot be kept; absent: they are. */
  readonly noLimits?: string;
}

export function ignoredFields(pod: Pod, { isRoot, isReal = () => false, noLimits }: IgnoredFieldsOptions): readonly IgnoredField[] {
  const spec = pod.spec;
  if (spec === undefined) return [];
  const lists: readonly (readonly [string, readonly Container[]])[] = [
    ["spec.initContainers", spec.initContainers ?? []],
    ["spec.containers", spec.containers],
    ["spec.ephemeralContainers", (spec.ephemeralContainers ?? []) as readonly Container[]],
  ];
  const shared = spec.securityContext ?? {};
  return [
    ...broken("spec", spec, spec.containers.some(isReal) ? podRules : [...podRules, pullSecretsRule]),
    ...broken("spec.securityContext", shared, [...sharedSecurity, ...(isRoot ? [] : rootlessRules)]),
    ...lists.flatMap(([path, containers]) =>
      containers.flatMap((container, i) => containerFields(`${path}[${i}]`, container, isReal(container), noLimits)),
    ),
    ...(spec.volumes ?? []).flatMap((volume, i) => broken(`spec.volumes[${i}]`, volume, volumeRules)),
  ];
}

function containerFields(path: string, container: Container, isReal: boolean, noLimits: string | undefined): readonly IgnoredField[] {
  return [
    ...(noLimits === undefined ? [] : broken(path, container, [limitsRule(noLimits)])),
    ...broken(path, container, isReal ? containerRules : [...containerRules, ...processRules]),
    ...broken(`${path}.securityContext`, container.securityContext ?? {}, sharedSecurity),
  ];
}

function broken<T>(path: string, value: T, rules: readonly Rule<T>[]): readonly IgnoredField[] {
  return rules.filter(([, , set]) => set(value)).map(([field, why]) => ({ field: `${path}.${field}`, why }));
}

function hasContent(value: object | undefined): boolean {
  return value !== undefined && Object.values(value).some((part) => part !== undefined && part !== false);
}
