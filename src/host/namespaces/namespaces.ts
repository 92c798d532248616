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
  /** Node's own addresses on the network between nodes: the n-th node has the n-th address. Default `10.250.0.0/24`, `fd00:10:250::/64`. */
  readonly nodeCIDRs: readonly string[];
}

/** The machine's part: one per program. */
export interface Namespaces {
  /** Makes a node: its namespace, loopback up, forwarding on, a route to every other node. */
  createNode(options: NodeNetworkOptions): Promise<NodeNetwork>;
  /** Ends the thread; the kernel takes every namespace, link and route away once no process is left in them. */
  stop(): Promise<void>;
}

export interface NodeNetworkOptions {
  readonly name: string;
  /** From 1; decides its addresses. */
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
  /** `/proc/self/fd/N` while it exists: for `nsenter --net=…` of a child process, and as a name in messages. */
  readonly path: string;
  /** A connected TCP socket, half-open allowed, not yet read. Rejects with the system's error (`code: "ECONNREFUSED"`). */
  connect(options: ConnectOptions): Promise<Socket>;
  /** A listening TCP socket's descriptor: `server.listen({ fd })`. Port 0: any. Low ports are allowed. */
  listen(address: string, port: number): Promise<{ readonly fd: number; readonly port: number }>;
  /** A bound UDP socket's descriptor: `dgram.createSocket(type).bind({ fd })`. */
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

/** Who the process is. Rootless, ids other than the user's own exist only with subordinate ids (/etc/subuid). */
export type ProcessUser =
  /** The ids of the user who started the program (as root: the given ones). */
  | { readonly kind: "own"; readonly uid?: number; readonly gid?: number; readonly groups?: readonly number[] }
  /** Root inside a user namespace of its own; outside it is the user who started the program. */
  | { readonly kind: "fake-root" }
  /** Real root, no user namespace: only as root. */
  | { readonly kind: "root" };

export type Mount =
  | { readonly kind: "bind"; readonly source: string; readonly target: string; readonly readOnly: boolean }
  | { readonly kind: "tmpfs"; readonly target: string; readonly sizeBytes?: number }
  /** Nothing is seen there any more: an empty directory or an empty file lies over it. */
  | { readonly kind: "mask"; readonly target: string };

export interface SpawnOptions {
  /** Absolute; no shell. */
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly user: ProcessUser;
  /** In its own mount namespace, in this order; missing targets are made where the file system lets us. Absent: the host's mounts are shared. */
  readonly mounts?: readonly Mount[];
  /** In its own UTS namespace. */
  readonly hostname?: string;
  /** Its own PID namespace, in which it is process 1. Default false. */
  readonly pidNamespace?: boolean;
  /** Descriptors of this process that become 0, 1 and 2; `null`: /dev/null. The caller closes its copies. */
  readonly stdio: readonly [number | null, number | null, number | null];
  /** Makes descriptor 0 the controlling terminal of its new session. */
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
