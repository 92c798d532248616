/**
 * Namespaces: each pod has a network of its own with its own addresses, each container a file system, a process table and
 * a user of its own. Needs nothing of the machine but its kernel; no images, no root (docs/design/0003-namespaces.md).
 */
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Duplex } from "node:stream";
import type { PodRef } from "../../../../api/node-agent.ts";
import type { Container, Pod } from "../../../../api/types.ts";
import type { NodeNetwork, PodNetwork } from "../../../../host/namespaces/namespaces.ts";
import { MNT_DETACH, MS_NODEV, MS_NOSUID } from "../../../../host/syscalls/constants.ts";
import type { Libc } from "../../../../host/syscalls/libc.ts";
import { realClock } from "../../../../lib/clock.ts";
import { errorMessage, FairleadError } from "../../../../lib/errors.ts";
import type { OciTool } from "../../oci/tool.ts";
import { ContainerStartError, type Connect, type ContainerSpec, type IgnoredField, type PodIdentity, type PodNote } from "../../runtime.ts";
import type { Cgroup, Cgroups } from "../../cgroups/cgroups.ts";
import { limitsOf } from "../../cgroups/limits.ts";
import type { ImageEntry, ImageRoot } from "../images.ts";
import { isRunImage } from "../images.ts";
import type { ContainerPlace, Placement } from "../placement.ts";
import { hostPorts, openHostPorts, type CloseHostPorts } from "./host-ports.ts";
import { ignoredFields } from "./ignored-fields.ts";
import { namespacedPlace, runPlace } from "./place.ts";
import { writePodFiles, type PodFiles } from "./pod-files.ts";
import { processUser } from "./process-user.ts";
import type { ClusterDns } from "./resolv-conf.ts";
import { podSysctls } from "./sysctls.ts";

export interface NamespacedOptions {
  /** Where pods get their directories. */
  readonly directory: string;
  readonly network: NodeNetwork;
  readonly libc: Libc;
  readonly dns: ClusterDns & { readonly hostResolvConf: string };
  readonly nodeName: string;
  /** Directories and files that no container sees: the user's home, the cluster's data. */
  readonly hidden: readonly string[];
  /** Whether this program is the machine's root, not only that of a user namespace. */
  readonly isRoot: boolean;
  /** Absent: limits cannot be kept, for `noLimits`. */
  readonly cgroups?: Cgroups;
  readonly noLimits?: string;
  /** What runs containers of real images. */
  readonly oci?: OciTool;
  /** The process id that the host's /proc shows for one of ours, where that can be known. */
  readonly hostPid?: (pid: number) => number | undefined;
}

interface PlacedPod {
  readonly network: PodNetwork;
  readonly files: PodFiles;
  readonly closePorts: CloseHostPorts;
}

export class NamespacedPlacement implements Placement {
  readonly scheme = "namespaces";
  readonly hostNetwork = true;
  readonly setsGroups: boolean;
  readonly connect: Connect;
  readonly #options: NamespacedOptions;
  /** By uid. */
  readonly #pods = new Map<string, PlacedPod>();
  /** uid → directories in memory */
  readonly #memory = new Map<string, string[]>();

  constructor(options: NamespacedOptions) {
    this.#options = options;
    this.setsGroups = options.isRoot;
    this.connect = (target) => options.network.connect(target);
  }

  async start(): Promise<void> {
    await mkdir(this.#root, { recursive: true, mode: 0o755 });
    this.#options.cgroups?.start();
  }

  /** Networks end with their node. */
  async stop(): Promise<void> {
    await Promise.all([...this.#pods.values()].map(({ closePorts }) => closePorts()));
    this.#pods.clear();
  }

  async setUpPod(pod: PodIdentity, object: Pod): Promise<readonly PodNote[]> {
    if (this.#pods.has(pod.uid)) return [];
    const { network: node, dns, nodeName, directory } = this.#options;
    const onHost = object.spec?.hostNetwork === true;
    const settings = podSysctls(object);
    const network = onHost ? node.hostPod() : await node.addPod({ id: pod.uid, addresses: pod.ips });
    try {
      const files = await writePodFiles({ directory: join(directory, pod.uid), object, ips: pod.ips, dns, nodeName });
      for (const { path, value } of settings) await network.sysctl(path, value);
      const closePorts = await openHostPorts(hostPorts(object), { network: node, podIPs: pod.ips, clock: realClock });
      this.#pods.set(pod.uid, { network, files, closePorts });
      return files.warnings.map((message) => ({ reason: "DNSConfigForming", message }));
    } catch (error) {
      if (!onHost) await network.remove();
      throw error;
    }
  }

  async tearDownPod({ uid }: PodRef): Promise<void> {
    const placed = this.#pods.get(uid);
    this.#pods.delete(uid);
    await placed?.closePorts();
    await placed?.network.remove();
  }

  /** In this program's own mount namespace, from which each container's is copied. */
  mountMemory({ uid }: PodRef, directory: string, sizeBytes: number | undefined): void {
    const size = sizeBytes === undefined ? "" : `,size=${sizeBytes}`;
    this.#options.libc.mount("tmpfs", directory, "tmpfs", MS_NOSUID | MS_NODEV, `mode=1777${size}`);
    this.#memory.set(uid, [...(this.#memory.get(uid) ?? []), directory]);
  }

  async removePod({ uid }: PodRef): Promise<void> {
    for (const directory of this.#memory.get(uid) ?? []) this.#options.libc.umount2(directory, MNT_DETACH);
    this.#memory.delete(uid);
    await rm(join(this.#options.directory, uid), { recursive: true, force: true });
  }

  baseEnvironment(_pod: PodIdentity, container: Container, object: Pod): Readonly<Record<string, string>> {
    const answer = processUser(object, container, this.#options.isRoot);
    return answer.kind === "ok" ? { HOME: answer.home } : {};
  }

  refusal(object: Pod, container: Container): string | undefined {
    const answer = processUser(object, container, this.#options.isRoot);
    return answer.kind === "error" ? answer.message : undefined;
  }

  async prepare(spec: ContainerSpec, image: ImageEntry | undefined, target: number | undefined): Promise<ContainerPlace> {
    const { network, files } = this.#placed(spec.pod);
    const { libc, isRoot, hidden, directory, hostPid } = this.#options;
    const podDirectory = join(directory, spec.pod.uid);
    const root = this.#root;
    if (image?.root !== undefined) return this.#ociPlace(spec, image.root, podDirectory, target);
    if (image !== undefined && isRunImage(image)) return runPlace({ spec, network, libc, files, podDirectory, hostPid });
    return namespacedPlace({ spec, image, network, libc, files, isRoot, hidden, podDirectory, root, target, cgroup: this.#cgroup(spec) });
  }

  ignoredFields(pod: Pod, isReal: (container: Container) => boolean): readonly IgnoredField[] {
    const { isRoot, noLimits } = this.#options;
    return ignoredFields(pod, { isRoot, isReal, ...(noLimits === undefined ? {} : { noLimits }) });
  }

  /** As containerd's port-forward: at the pod's own `localhost`. */
  async dial(pod: PodRef, port: number): Promise<Duplex> {
    const { network } = this.#placed(pod);
    try {
      return await network.connect({ host: "127.0.0.1", port });
    } catch (error) {
      return await network.connect({ host: "::1", port }).catch(() => {
        throw new Error(`failed to connect to localhost:${port} inside pod ${pod.namespace}/${pod.name}: ${errorMessage(error)}`, {
          cause: error,
        });
      });
    }
  }

  /** Throws ContainerStartError where the kernel refuses. */
  #cgroup({ container, pod, instance }: ContainerSpec): Cgroup | undefined {
    const limits = limitsOf(container);
    if (limits === undefined) return undefined;
    try {
      return this.#options.cgroups?.create(`${pod.uid}-${container.name}-${instance}`, limits);
    } catch (error) {
      throw new ContainerStartError(`the container's limits cannot be set: ${errorMessage(error)}`, { cause: error });
    }
  }

  async #ociPlace(spec: ContainerSpec, image: ImageRoot, podDirectory: string, target: number | undefined): Promise<ContainerPlace> {
    const { network, files } = this.#placed(spec.pod);
    const { libc, isRoot, oci: tool } = this.#options;
    if (tool === undefined) throw new ContainerStartError("real images need an OCI runtime: install crun, or runc");
    const { ociPlace } = await import("../../oci/oci-place.ts");
    return ociPlace({ spec, image, tool, network, libc, files, podDirectory, isRoot, target, cgroup: this.#cgroup(spec) });
  }

  /** An empty directory upon which each container's root lies, in a mount namespace where nobody else sees it. */
  get #root(): string {
    return join(dirname(this.#options.directory), "rootfs");
  }

  #placed({ uid, namespace, name }: PodRef): PlacedPod {
    const placed = this.#pods.get(uid);
    if (placed === undefined) throw new FairleadError("FL_INTERNAL", `pod ${namespace}/${name} has no network`);
    return placed;
  }
}
