/** The main thread's side: starts the namespaces thread and turns what it is asked for into messages to it. */
import { adoptConnection } from "./adopt-connection.ts";
import type {
  ConnectOptions,
  Fabric,
  Namespaces,
  NamespacesOptions,
  NetworkNamespace,
  NodeNetwork,
  NodeNetworkOptions,
  PodNetwork,
} from "./namespaces.ts";
import type { NamespaceId } from "./protocol.ts";
import { startThread, type Thread } from "./thread-client.ts";

/**
 * Needs CAP_SYS_ADMIN in the program's user namespace: real root, or inside `enterNamespaces` of `launch/`. Rejects with
 * FL_UNSUPPORTED where the kernel refuses.
 */
export async function createNamespaces(options: NamespacesOptions = {}): Promise<Namespaces> {
  const thread = startThread(options);
  const ready = await thread.ready;
  const inside = createInside(thread);
  const fabric: Fabric = { ...inside(0, ready.fd), addresses: ready.addresses, systemAddresses: ready.systemAddresses };
  return {
    families: ready.families,
    fabric,
    createNode: (node) => createNode(thread, inside, node),
    stop: () => thread.stop(),
  };
}

type Inside = (id: NamespaceId, fd: number) => NetworkNamespace;

async function createNode(thread: Thread, inside: Inside, options: NodeNetworkOptions): Promise<NodeNetwork> {
  const { name, index, podCIDRs } = options;
  const { id, fd, addresses } = await thread.call({ kind: "add-node", index, podCIDRs });
  const own = inside(id, fd);
  return {
    ...own,
    name,
    addresses,
    addAddress: (address) => thread.call({ kind: "add-address", node: id, address }),
    removeAddress: (address) => thread.call({ kind: "remove-address", node: id, address }),
    async addPod(pod) {
      const made = await thread.call({ kind: "add-pod", node: id, addresses: pod.addresses });
      return podNetwork(inside(made.id, made.fd), () => thread.call({ kind: "remove", namespace: made.id }));
    },
    hostPod: () => podNetwork(own, () => Promise.resolve()),
    remove: () => thread.call({ kind: "remove", namespace: id }),
  };
}

function podNetwork(inside: NetworkNamespace, remove: () => Promise<void>): PodNetwork {
  return { ...inside, remove };
}

function createInside(thread: Thread): Inside {
  return (namespace, fd) => ({
    path: `/proc/${process.pid}/fd/${fd}`,
    async connect({ host, port, timeoutMs, ...local }: ConnectOptions) {
      const started = await thread.call({ kind: "connect", namespace, host, port, ...local });
      return adoptConnection(started, { host, port, timeoutMs: timeoutMs ?? 10_000 });
    },
    startConnecting: (to) => thread.call({ kind: "connect", namespace, ...to }),
    listen: (address, port) => thread.call({ kind: "bind", namespace, socket: "tcp", address, port }),
    bindUdp: (address, port) => thread.call({ kind: "bind", namespace, socket: "udp", address, port }),
    netlink: async (protocol) => (await thread.call({ kind: "netlink", namespace, protocol })).fd,
    sysctl: (name, value) => thread.call({ kind: "sysctl", namespace, name, value }),
    spawn: (options) => thread.spawn(namespace, options),
  });
}
