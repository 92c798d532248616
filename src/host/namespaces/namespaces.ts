/**
 * Nodes and pods as network namespaces, held by one thread of this process.
 *
 * The main thread never leaves the host's network namespace (rootless it could not come back: setns into it is EPERM). One
 * worker thread, the *namespaces thread*, leaves it for good and from then on moves among the namespaces that it made: it
 * opens sockets in them, configures them over rtnetlink and starts the pods' processes. What it opens crosses to the main
 * thread as a descriptor number (both threads share one table); a socket belongs to the namespace in which it was made,
 * whoever uses it. Every operation is short; nothing in the thread ever blocks on the network.
 */
import type { Socket } from "node:net";

export interface NamespacesOptions {
  /** Nodes' own addresses on the network between nodes: the n-th node has the n-th address. Default `defaultNodeCIDRs`. */
  readonly nodeCIDRs?: readonly string[];
  /** The thread died, and with it every way into the namespaces: nothing of this object works any more. At most once. */
  readonly onFailure?: (error: Error) => void;
}

export const defaultNodeCIDRs: readonly string[] = ["10.250.0.0/24", "fd00:10:250::/64"];

/** The machine's part: one per program. */
export interface Namespaces {
  /** The address families that this kernel has; addresses of others are left out everywhere. */
  readonly families: readonly (4 | 6)[];
  /** The router between the nodes. What has no route ends here: nodes' default routes lead to it, and it has none itself. */
  readonly fabric: Fabric;
  /** Makes a node: its namespace, loopback up, forwarding on, a way to every other node. */
  createNode(options: NodeNetworkOptions): Promise<NodeNetwork>;
  /** Ends the thread; the kernel takes every namespace, link and route away once no process is left in them. */
  stop(): Promise<void>;
}

/** What stands for the world outside of the cluster. */
export interface Fabric extends NetworkNamespace {
  /** The host as pods see it (`host.fairlead.internal`), IPv4 first: the 254th of each node CIDR. */
  readonly addresses: readonly string[];
  /** Where the cluster's own servers (DNS, API) listen for pods, IPv4 first: the 253rd. */
  readonly systemAddresses: readonly string[];
}

export interface NodeNetworkOptions {
  readonly name: string;
  /** From 1 to 252; decides its addresses. */
  readonly index: number;
  /** Its pods' ranges, an IPv4 one first; other nodes get a route to them. */
  readonly podCIDRs: readonly string[];
}

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  /** Must be an address of the namespace. */
  readonly localAddress?: string;
  /** Default 10,000. */
  readonly timeoutMs?: number;
}

/** What can be done inside a namespace, a node's or a pod's. */
export interface NetworkNamespace {
  /** `/proc/PID/fd/N` while it exists: for `nsenter --net=…` of a child process, and as a name in messages. */
  readonly path: string;
  /** A connected TCP socket, half-open allowed, not yet read. Rejects with the system's error (`code: "ECONNREFUSED"`). */
  connect(options: ConnectOptions): Promise<Socket>;
  /** As `connect`, its descriptor alone, for a thread of its own: not blocking, connected or on its way there. */
  startConnecting(options: Omit<ConnectOptions, "timeoutMs">): Promise<{ readonly fd: number; readonly connected: boolean }>;
  /** A listening TCP socket's descriptor: `server.listen({ fd })`. Port 0: any. Low ports are allowed. `::` is IPv6 only. */
  listen(address: string, port: number): Promise<{ readonly fd: number; readonly port: number }>;
  /** A bound UDP socket's descriptor: `dgram.createSocket(type).bind({ fd })`. `::` is IPv6 only. */
  bindUdp(address: string, port: number): Promise<{ readonly fd: number; readonly port: number }>;
  /** A netlink socket of the protocol (NETLINK_ROUTE 0, NETLINK_NETFILTER 12, NETLINK_GENERIC 16), for the main thread's use. */
  netlink(protocol: number): Promise<number>;
  /** Writes `net/ipv4/ip_forward` and the like. */
  sysctl(name: string, value: string): Promise<void>;
  /** Starts a program inside. */
  spawn(options: SpawnOptions): Promise<SpawnedProcess>;
}

export interface NodeNetwork extends NetworkNamespace {
  readonly name: string;
  /** Its own addresses on the network between nodes, IPv4 first. */
  readonly addresses: readonly string[];
  /** Gives the node one more address of its own (on loopback), and every other node and pod a way to it. */
  addAddress(address: string): Promise<void>;
  removeAddress(address: string): Promise<void>;
  /** A pod's namespace with a routed /32 (and /128) veth and no bridge. `addresses`: one per family, inside the node's pod CIDRs. */
  addPod(options: { readonly id: string; readonly addresses: readonly string[] }): Promise<PodNetwork>;
  /** For pods with `hostNetwork: true`. */
  hostPod(): PodNetwork;
  /** Ends the node as a crash would: links, routes and namespaces go; processes in them are not signalled. */
  remove(): Promise<void>;
}

export interface PodNetwork extends NetworkNamespace {
  /** Takes link and routes away, and the namespace once its processes are gone. */
  remove(): Promise<void>;
}

/** Who the process is. Rootless, ids other than the user's own exist only as names for it in a user namespace. */
export type ProcessUser =
  /**
   * No privileges. As root: the given ids (default 65534) without a user namespace, `groups` beside them. Rootless: the ids of
   * the user who started the program, which look like the given ones from inside (default: as they are); groups stay the user's.
   */
  | { readonly kind: "own"; readonly uid?: number; readonly gid?: number; readonly groups?: readonly number[] }
  /** Root inside a user namespace of its own. Outside it is the user who started the program; as root it is the given ids (default 65534). */
  | {
      readonly kind: "fake-root";
      readonly uid?: number;
      readonly gid?: number;
      /** Those that it keeps there, as `setpriv --bounding-set` names them: `-all,+kill`. Default: all. */
      readonly boundingSet?: string;
    }
  /** The program's own root, no user namespace: real as root; rootless it rules all namespaces of this program. */
  | { readonly kind: "root" };

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Targets are absolute; with `root` they lie below it. Missing parents are made where the file system lets us. */
export type Mount =
  /** With everything mounted below `source`. The target is made: a directory for a directory, else an empty file. */
  | { readonly kind: "bind"; readonly source: string; readonly target: string; readonly readOnly: boolean }
  /** `mode`: default 0o755. */
  | { readonly kind: "tmpfs"; readonly target: string; readonly sizeBytes?: number; readonly mode?: number }
  /** Nothing is seen there any more: an empty directory or an empty file lies over it. Nothing happens where nothing is. */
  | { readonly kind: "mask"; readonly target: string }
  | { readonly kind: "directory"; readonly target: string; readonly mode: number }
  /** A file of its own with that content, which anybody may read and run. */
  | { readonly kind: "copy"; readonly source: string; readonly target: string; readonly owner?: Owner }
  /** `lower` is seen, what is written goes to `upper`; `work` is empty, on the same file system as that. */
  | {
      readonly kind: "overlay";
      readonly lower: string;
      readonly upper: string;
      readonly work: string;
      readonly target: string;
      /** What it notes of files stands in attributes that users may write: needed where the program is not the machine's root. */
      readonly userAttributes: boolean;
    }
  /** The file system that is mounted there becomes read-only; what is mounted below it stays as it is. */
  | { readonly kind: "seal"; readonly target: string }
  /** `target` becomes a symbolic link to `to`. */
  | { readonly kind: "symlink"; readonly target: string; readonly to: string }
  /** The processes of its PID namespace where it has its own, else of ours. */
  | { readonly kind: "proc"; readonly target: string };

export interface SpawnOptions {
  /** Absolute, inside `root`; no shell. Missing or not executable: the process ends with 127 or 126 and says so on descriptor 2. */
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Inside `root`. */
  readonly directory: string;
  readonly user: ProcessUser;
  /** In its own mount namespace, in this order. Absent: the host's mounts are shared. */
  readonly mounts?: readonly Mount[];
  /**
   * After all mounts this directory, which must be a mount's target, becomes `/` and the old root is gone. It must show the
   * machine's `setpriv` and `unshare` with their libraries at their places (bind /usr, /bin, /lib…).
   */
  readonly root?: string;
  /** It joins the mount, UTS and PID namespaces of that process, started here before and still alive; `mounts`, `root`, `hostname`, `pidNamespace` do not apply. */
  readonly inside?: number;
  /** Set-user-id programs and file capabilities give it nothing. Default false. */
  readonly noNewPrivileges?: boolean;
  /** In its own UTS namespace. */
  readonly hostname?: string;
  /**
   * Its own PID namespace, in which it is process 1: its end ends all of them. Or that of a process that was started here and is
   * still alive. Default false: ours.
   */
  readonly pidNamespace?: boolean | { readonly of: number };
  /** Files `cgroup.procs` of cgroups to which it and all that it starts belong. */
  readonly cgroups?: readonly string[];
  /** Descriptors of this process that become 0, 1 and 2; `null`: /dev/null. The caller closes its copies. */
  readonly stdio: readonly [number | null, number | null, number | null];
  /** Makes descriptor 0, a terminal, the controlling one of its new session. */
  readonly terminal?: boolean;
}

export interface SpawnedProcess {
  /** As this program's PID namespace sees it. It leads a session and a process group. */
  readonly pid: number;
  /** Settles once. */
  readonly exited: Promise<{ readonly exitCode: number | null; readonly signal: NodeJS.Signals | null }>;
  /** To the whole process group; nothing when it is over. */
  signal(name: NodeJS.Signals): void;
}
