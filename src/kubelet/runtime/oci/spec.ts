/** A container as the OCI runtime specification describes it (runtime-spec v1.1 config.md, config-linux.md). Pure. */
import type { Container, Pod } from "../../../api/types.ts";
import type { ContainerMount } from "../runtime.ts";
import { capabilitiesOf } from "./capabilities.ts";
import type { ImageUser } from "./image-user.ts";

export interface SpecInput {
  readonly pod: Pod;
  readonly container: Container;
  /** The words that run. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Of the image, where the container has none of its own. */
  readonly workingDir: string;
  readonly user: ImageUser;
  readonly terminal: boolean;
  /** Where the root directory will be mounted, on this machine. */
  readonly root: string;
  readonly hostname: string;
  readonly mounts: readonly ContainerMount[];
  /** Path in the container → file of this machine. */
  readonly ownFiles: Readonly<Record<string, string>>;
  /**
   * Whether this program may give processes any user number. Otherwise there is one user, whom a user namespace of the container's
   * own shows under the number that is asked for.
   */
  readonly anyUser: boolean;
  /** A process whose PID namespace is joined (`kubectl debug --target`). */
  readonly target?: number | undefined;
}

type Json = Readonly<Record<string, unknown>>;

interface SpecMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** As containerd has them (pkg/oci/spec.go): what tells of the machine, or changes it. */
const maskedPaths = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];
const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** The content of `config.json`. */
export function containerSpec(input: SpecInput): Json {
  const { container, root, hostname, user, anyUser } = input;
  const { privileged = false, readOnlyRootFilesystem = false, procMount = "Default" } = container.securityContext ?? {};
  const isOpen = privileged || procMount === "Unmasked";
  return {
    ociVersion: "1.0.2",
    process: processSpec(input),
    root: { path: root, readonly: readOnlyRootFilesystem },
    hostname,
    mounts: mountsOf(input, privileged),
    linux: {
      namespaces: namespacesOf(input),
      ...(needsUserNamespace(user, anyUser)
        ? {
            uidMappings: [{ containerID: user.uid, hostID: 0, size: 1 }],
            gidMappings: [{ containerID: user.gid, hostID: 0, size: 1 }],
          }
        : {}),
      maskedPaths: isOpen ? [] : maskedPaths,
      readonlyPaths: isOpen ? [] : readonlyPaths,
      rootfsPropagation: "rprivate",
    },
  };
}

/** One process of the container: its first, or one of `exec`'s. */
export function processSpec({ container, words, env, workingDir, user, terminal, anyUser }: Omit<SpecInput, "mounts">): Json {
  const bounding = capabilitiesOf(container);
  // A user other than root has none at first: what programs with file capabilities may give it is bounded.
  const effective = user.uid === 0 ? bounding : [];
  return {
    terminal,
    user: { uid: user.uid, gid: user.gid, ...(anyUser ? { additionalGids: user.groups } : {}) },
    args: words,
    env: Object.entries(terminal ? { TERM: "xterm", ...env } : env).map(([name, value]) => `${name}=${value}`),
    cwd: container.workingDir ?? (workingDir === "" ? "/" : workingDir),
    capabilities: { bounding, effective, permitted: effective },
    noNewPrivileges: container.securityContext?.allowPrivilegeEscalation === false,
  };
}

function mountsOf({ mounts, ownFiles }: SpecInput, privileged: boolean): readonly SpecMount[] {
  const taken = new Set(mounts.map(({ mountPath }) => mountPath));
  const own = Object.entries(ownFiles).filter(([path]) => !taken.has(path));
  return [
    ...systemMounts(privileged),
    ...mounts.map(({ mountPath, source, readOnly }) => bind(mountPath, source, readOnly ? ["ro"] : ["rw"])),
    ...own.map(([path, source]) => bind(path, source, ["rw"])),
  ];
}

function systemMounts(privileged: boolean): readonly SpecMount[] {
  const devices: readonly SpecMount[] = privileged
    ? [bind("/dev", "/dev", ["rw"])]
    : [
        { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"] },
        {
          destination: "/dev/pts",
          type: "devpts",
          source: "devpts",
          options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
        },
        { destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] },
        { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
      ];
  return [
    { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
    ...devices,
    // A sysfs of its own may be mounted only by who owns the network namespace, which is the pod's and not the container's.
    bind("/sys", "/sys", ["nosuid", "noexec", "nodev", ...(privileged ? [] : ["ro"])]),
    ...(privileged ? [] : [{ destination: "/sys/fs/cgroup", type: "tmpfs", source: "none", options: ["nosuid", "noexec", "nodev", "ro"] }]),
  ];
}

function bind(destination: string, source: string, options: readonly string[]): SpecMount {
  return { destination, type: "bind", source, options: ["rbind", "rprivate", ...options] };
}

/** The network is that in which the runtime is started: the pod's. */
function namespacesOf({ pod, user, anyUser, target }: SpecInput): readonly Json[] {
  const processes = target === undefined ? { type: "pid" } : { type: "pid", path: `/proc/${target}/ns/pid` };
  return [
    ...(pod.spec?.hostPID === true ? [] : [processes]),
    ...(pod.spec?.hostIPC === true ? [] : [{ type: "ipc" }]),
    { type: "uts" },
    { type: "mount" },
    ...(needsUserNamespace(user, anyUser) ? [{ type: "user" }] : []),
  ];
}

/** Where there is one user, root needs none: it is that user already. */
export function needsUserNamespace({ uid, gid }: ImageUser, anyUser: boolean): boolean {
  return !anyUser && (uid !== 0 || gid !== 0);
}
