/**
 * Makes this machine a Node of the cluster and keeps it Ready: the Node object at the start, a heartbeat by Lease every
 * 10 s, and the whole status every 5 min (upstream pkg/kubelet/kubelet_node_status.go, pkg/util/nodelease).
 */
import { isAlreadyExists, isConflict, isNotFound } from "../api/status.ts";
import { leases, nodes } from "../api/resources.ts";
import type { Lease, Node } from "../api/types.ts";
import type { Client } from "../client/client.ts";
import { rfc3339Micro, type Clock, type Timer } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { nodeObject, nodeStatus, type NodeInput } from "./node-object.ts";

const defaultHeartbeatMs = 10_000;
/** A lease holds for as many heartbeats. */
const leaseBeats = 4;
const reportMs = 300_000;
const leaseNamespace = "kube-node-lease";

export interface NodeRegistrationOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly node: NodeInput;
  /** Default 10,000. */
  readonly heartbeatMs?: number;
}

export class NodeRegistration {
  readonly #options: NodeRegistrationOptions;
  #timer: Timer | undefined;
  #stopped = false;
  #reportedAt = 0;
  #correcting = false;
  #node: Node | undefined;
  #beating: Promise<void> = Promise.resolve();

  constructor(options: NodeRegistrationOptions) {
    this.#options = options;
  }

  /** The Node as the API has it, once registered. */
  get node(): Node | undefined {
    return this.#node;
  }

  /** Resolves when the Node is there and Ready. */
  async start(): Promise<void> {
    const { client, clock, node } = this.#options;
    const wanted = nodeObject(node, clock.now());
    let found: Node;
    try {
      found = await client.create(nodes, wanted);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      found = await this.#adopt(wanted);
    }
    this.#node = found.status?.conditions === undefined || found.status.conditions.length === 0 ? await this.#report(found) : found;
    this.#reportedAt = clock.now();
    this.#beating = this.#beat();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#beating;
  }

  /** Somebody else has written the Node: what they say of its conditions is put right, for this node lives. */
  seen(node: Node): void {
    if (this.#stopped || this.#node === undefined || node.metadata.name !== this.#options.node.nodeName) return;
    if (sameConditions(node, this.#node) || this.#correcting) return;
    this.#correcting = true;
    this.#beating = this.#beating
      .then(async () => {
        this.#node = await this.#report(node);
      })
      .catch((error: unknown) => this.#options.log.warn("the node's status was not put right yet", { error: errorMessage(error) }))
      .finally(() => (this.#correcting = false));
  }

  get #heartbeatMs(): number {
    return this.#options.heartbeatMs ?? defaultHeartbeatMs;
  }

  /** The Node of a former run: labels and status are brought up to date, the rest stays as it is. */
  async #adopt(wanted: Node): Promise<Node> {
    const { client, log, node } = this.#options;
    const ref = { name: node.nodeName };
    const found = await client.patch(nodes, ref, "application/merge-patch+json", { metadata: { labels: wanted.metadata.labels } });
    if (found.spec?.podCIDRs?.join() !== node.podCIDRs.join()) {
      await client.patch(nodes, ref, "application/merge-patch+json", { spec: wanted.spec }).catch((error: unknown) => {
        log.warn("the Node object keeps the pods' network of a former run", { podCIDRs: found.spec?.podCIDRs, error: errorMessage(error) });
      });
    }
    return this.#report(found);
  }

  async #report(found: Node): Promise<Node> {
    const { client, clock, node } = this.#options;
    const status = nodeStatus(node, found.status, clock.now());
    return client.patch(nodes, { name: node.nodeName }, "application/merge-patch+json", { status }, { subresource: "status" });
  }

  async #beat(): Promise<void> {
    const { clock, log } = this.#options;
    try {
      await this.#renewLease();
      if (clock.now() - this.#reportedAt >= reportMs && this.#node !== undefined) {
        this.#node = await this.#report(this.#node);
        this.#reportedAt = clock.now();
      }
    } catch (error) {
      log.warn("the node's heartbeat failed; it is tried again", { error: errorMessage(error) });
    }
    if (!this.#stopped) this.#timer = clock.after(this.#heartbeatMs, () => (this.#beating = this.#beat()));
  }

  async #renewLease(): Promise<void> {
    const { client, clock, node } = this.#options;
    const ref = { namespace: leaseNamespace, name: node.nodeName };
    const renewTime = rfc3339Micro(clock.now());
    try {
      await client.patch(leases, ref, "application/merge-patch+json", { spec: { renewTime, holderIdentity: node.nodeName } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await this.#createLease(renewTime);
    }
  }

  async #createLease(renewTime: string): Promise<void> {
    const { client, node } = this.#options;
    const owner = { apiVersion: "v1", kind: "Node", name: node.nodeName, uid: this.#node?.metadata.uid ?? "" };
    const lease: Lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { namespace: leaseNamespace, name: node.nodeName, ownerReferences: [owner] },
      spec: { holderIdentity: node.nodeName, leaseDurationSeconds: Math.ceil((this.#heartbeatMs * leaseBeats) / 1000), renewTime },
    };
    try {
      await client.create(leases, lease);
    } catch (error) {
      // Somebody was quicker, or the namespace is still to come: the next heartbeat finds out.
      if (!isAlreadyExists(error) && !isConflict(error) && !isNotFound(error)) throw error;
    }
  }
}

/** Of those that this node reports; others may add their own. */
function sameConditions(a: Node, b: Node): boolean {
  const stateOf = (node: Node, type: string) => node.status?.conditions?.find((condition) => condition.type === type)?.status;
  return (b.status?.conditions ?? []).every(({ type, status }) => stateOf(a, type) === status);
}
