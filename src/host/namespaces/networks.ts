/** The network namespaces that the thread holds: makes, wires, finds and takes away the fabric, nodes and pods. */
import { closeSync, existsSync } from "node:fs";
import { activateLink, deleteLinkGroup, setLinkGroup } from "../netlink/route.ts";
import { commit, NETLINK_ROUTE, openNetlink, type NetlinkSocket } from "../netlink/socket.ts";
import { NetlinkWriter, NLM_F_ACK } from "../netlink/writer.ts";
import type { Libc } from "../syscalls/libc.ts";
import { collectLeavingLinks, type LeavingLinks } from "./leaving-links.ts";
import { createKernelSettings, type KernelSettings } from "./kernel-settings.ts";
import type { Place } from "./place.ts";
import type { NamespaceId, Results } from "./protocol.ts";
import * as topology from "./topology.ts";

interface Held {
  readonly fd: number;
  /** Of the fabric and of nodes, which are configured again and again. */
  readonly netlink: NetlinkSocket;
}

interface Node extends Held {
  readonly kind: "node";
  readonly plan: topology.NodePlan;
  readonly pods: Set<NamespaceId>;
  readonly leaving: LeavingLinks;
}

interface Pod {
  readonly kind: "pod";
  readonly fd: number;
  readonly node: NamespaceId;
  readonly plan: topology.PodPlan;
}

const fabricId: NamespaceId = 0;
/** Links' indices are ours to choose; the first few belong to loopback and `eth0`. */
const firstLink = 16;
const leavingGroup = 0x66_6c;

export class Networks {
  readonly families: readonly (4 | 6)[];
  readonly fabricPlan: topology.FabricPlan;
  readonly #libc: Libc;
  readonly #place: Place;
  readonly #root: boolean;
  readonly #nodeCIDRs: readonly string[];
  readonly #writer = new NetlinkWriter();
  readonly #fabric: Held;
  readonly #members = new Map<NamespaceId, Node | Pod>();
  readonly #settings: KernelSettings;
  #nextId = fabricId + 1;
  #nextLink = firstLink;

  constructor(libc: Libc, place: Place, options: { readonly nodeCIDRs: readonly string[]; readonly root: boolean }) {
    this.#libc = libc;
    this.#place = place;
    this.#root = options.root;
    this.#settings = createKernelSettings(libc);
    this.families = existsSync("/proc/sys/net/ipv6") ? [4, 6] : [4];
    this.#nodeCIDRs = this.#usable(options.nodeCIDRs);
    this.fabricPlan = topology.planFabric(this.#nodeCIDRs);
    this.#fabric = this.#hold(this.#create(true));
    const own = [...this.fabricPlan.hostAddresses, ...this.fabricPlan.systemAddresses];
    this.#send(this.#fabric.netlink, (writer) => topology.writeLoopback(writer, own));
  }

  get fabricFd(): number {
    return this.#fabric.fd;
  }

  /** The thread is in that namespace afterwards. */
  enter(id: NamespaceId): void {
    this.#place.enterNetwork(id === fabricId ? this.#fabric.fd : this.#member(id).fd);
  }

  addNode(index: number, podCIDRs: readonly string[]): Results["add-node"] {
    const addresses = topology.nodeAddresses(this.#nodeCIDRs, index);
    const plan: topology.NodePlan = { index, addresses, podCIDRs: this.#usable(podCIDRs), link: this.#nextLink++ };
    const held = this.#hold(this.#create(true));
    try {
      this.#send(this.#fabric.netlink, (writer) => topology.writeFabricSide(writer, this.fabricPlan, plan, held.fd));
      this.#send(held.netlink, (writer) => topology.writeNodeSide(writer, this.fabricPlan, plan));
      this.#send(this.#fabric.netlink, (writer) => activateLink(writer, plan.link));
    } catch (error) {
      this.#drop(held);
      throw error;
    }
    const id = this.#nextId++;
    const leaving = collectLeavingLinks((links) => this.#deleteLinks(held.netlink, links));
    this.#members.set(id, { kind: "node", ...held, plan, pods: new Set(), leaving });
    return { id, fd: held.fd, addresses };
  }

  addPod(nodeId: NamespaceId, addresses: readonly string[]): Results["add-pod"] {
    const node = this.#node(nodeId);
    const plan: topology.PodPlan = { addresses: this.#usable(addresses), link: this.#nextLink++ };
    const fd = this.#create(false);
    try {
      this.#send(node.netlink, (writer) => topology.writePodLink(writer, node.plan, plan, fd));
      this.#place.enterNetwork(fd);
      this.#sendHere((writer) => topology.writePodSide(writer, plan));
      this.#send(node.netlink, (writer) => activateLink(writer, plan.link));
    } catch (error) {
      this.#leave(fd); // takes the link with it
      throw error;
    }
    const id = this.#nextId++;
    this.#members.set(id, { kind: "pod", fd, node: nodeId, plan });
    node.pods.add(id);
    return { id, fd };
  }

  /** On the node's loopback, with a route in the fabric. */
  addAddress(nodeId: NamespaceId, address: string): void {
    const node = this.#node(nodeId);
    this.#send(node.netlink, (writer) => topology.addOwnAddress(writer, address));
    this.#send(this.#fabric.netlink, (writer) => topology.addFabricRoute(writer, this.fabricPlan, node.plan, topology.single(address)));
  }

  removeAddress(nodeId: NamespaceId, address: string): void {
    const node = this.#node(nodeId);
    this.#send(this.#fabric.netlink, (writer) => topology.deleteFabricRoute(writer, node.plan, topology.single(address)));
    this.#send(node.netlink, (writer) => topology.deleteOwnAddress(writer, address));
  }

  /** `net/ipv4/ip_forward` and the like. */
  set(id: NamespaceId, name: string, value: string): void {
    this.enter(id);
    this.#settings.write(name, value);
  }

  /** Of a node or a pod; of one that is gone already: nothing. */
  remove(id: NamespaceId): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    this.#members.delete(id);
    if (member.kind === "pod") this.#removePod(id, member);
    else this.#removeNode(member);
  }

  /**
   * The routes go at once. The link goes with the namespace, in the background: to delete it here would stop the thread for
   * 15 ms, and what is left of it after a while goes together with others.
   */
  #removePod(id: NamespaceId, pod: Pod): void {
    const node = this.#members.get(pod.node);
    if (node?.kind === "node") {
      node.pods.delete(id);
      this.#try(node.netlink, (writer) => topology.deletePodRoutes(writer, pod.plan));
      node.leaving.add(pod.plan.link);
    }
    this.#leave(pod.fd);
  }

  /** A thread that stood in the namespace would keep it. */
  #leave(fd: number): void {
    this.#place.enterNetwork(this.#fabric.fd);
    closeSync(fd);
  }

  /** In one piece, so that the kernel waits for its readers once. */
  #deleteLinks(netlink: NetlinkSocket, links: readonly number[]): void {
    this.#try(netlink, (writer) => links.forEach((link) => setLinkGroup(writer, link, leavingGroup)));
    this.#try(netlink, (writer) => deleteLinkGroup(writer, leavingGroup));
  }

  #removeNode(node: Node): void {
    for (const id of node.pods) this.remove(id);
    node.leaving.close();
    this.#try(this.#fabric.netlink, (writer) => topology.deleteNodeLink(writer, node.plan));
    this.#drop(node);
  }

  /** A new namespace, entered and set up as far as files do it. */
  #create(router: boolean): number {
    const fd = this.#place.createNetwork();
    const settings = topology.namespaceSettings({ router, ipv6: this.families.includes(6), root: this.#root });
    for (const [name, value] of settings) this.#settings.write(name, value);
    return fd;
  }

  /** Of the namespace where the thread is. */
  #hold(fd: number): Held {
    return { fd, netlink: openNetlink(this.#libc, NETLINK_ROUTE) };
  }

  #drop(held: Held): void {
    held.netlink.close();
    this.#leave(held.fd);
  }

  /** One batch. What an earlier one that could not be written has left behind goes first. */
  #send(netlink: NetlinkSocket, write: (writer: NetlinkWriter) => void): void {
    write(this.#writer.reset());
    if (this.#writer.length === 0) return;
    commit(netlink, this.#writer.addFlags(NLM_F_ACK));
  }

  /** To the namespace where the thread is. */
  #sendHere(write: (writer: NetlinkWriter) => void): void {
    const netlink = openNetlink(this.#libc, NETLINK_ROUTE);
    try {
      this.#send(netlink, write);
    } finally {
      netlink.close();
    }
  }

  /** For taking away what may be gone already. */
  #try(netlink: NetlinkSocket, write: (writer: NetlinkWriter) => void): void {
    write(this.#writer.reset());
    netlink.exchange(this.#writer.finish());
  }

  #usable(list: readonly string[]): readonly string[] {
    return list.filter((item) => this.families.includes(topology.familyOf(item)));
  }

  #member(id: NamespaceId): Node | Pod {
    const member = this.#members.get(id);
    if (member === undefined) throw Object.assign(new Error("the namespace is gone"), { code: "ENOENT", errno: -2, syscall: "setns" });
    return member;
  }

  #node(id: NamespaceId): Node {
    const member = this.#member(id);
    if (member.kind !== "node") throw new Error("not a node");
    return member;
  }
}
