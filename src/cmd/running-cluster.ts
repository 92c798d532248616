/** A cluster that runs, as its owner sees it: every call goes to the part that knows. */
import type { Duplex } from "node:stream";
import type { NodeAgent } from "../api/node-agent.ts";
import type { Client } from "../client/client.ts";
import type { InformerFactory } from "../client/informer.ts";
import { writeKubeconfig } from "../client/kubeconfig-file.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { FairleadError } from "../lib/errors.ts";
import type { ClusterDns, DnsQueryResult } from "./cluster-dns.ts";
import type { ClusterGatewayApi } from "./cluster-gateway-api.ts";
import type { ClusterGateway } from "./cluster-gateway.ts";
import type { Cluster, ClusterOptions } from "./cluster-options.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { AddressPlan, ClusterMode, ClusterNetwork, RunningNode } from "./network/network.ts";

export interface Composed {
  readonly options: ClusterOptions;
  readonly plan: AddressPlan;
  readonly network: ClusterNetwork;
  readonly control: ControlPlane;
  readonly dns: ClusterDns | undefined;
  readonly nodes: readonly RunningNode[];
  readonly gateway?: ClusterGateway;
  readonly gatewayApi?: ClusterGatewayApi;
  readonly release: () => Promise<void>;
}

export class RunningCluster implements Cluster {
  readonly #parts: Composed;
  #server = "";
  #begun: Promise<unknown> | undefined;

  constructor(composed: Composed) {
    this.#parts = composed;
    this.#begun = composed.control.listening;
  }

  /** Waits for the listener that was opened at the start, if one was. */
  async listening(): Promise<this> {
    if (this.#begun !== undefined) await this.listen();
    return this;
  }

  get mode(): ClusterMode {
    return this.#parts.network.mode;
  }

  get client(): Client {
    return this.#parts.control.client;
  }

  clientOf(user: string, groups?: readonly string[]): Client {
    return this.#parts.control.clientOf(user, groups);
  }

  get informers(): InformerFactory {
    return this.#parts.control.informers;
  }

  get clusterDomain(): string {
    return this.#parts.plan.clusterDomain;
  }

  get kubeconfig(): string {
    return this.#parts.options.paths.kubeconfig;
  }

  get server(): string {
    return this.#server;
  }

  nodeAgent(nodeName: string): NodeAgent {
    const agent = this.#parts.nodes.find(({ name }) => name === nodeName)?.agent;
    if (agent === undefined) throw new FairleadError("FL_UNSUPPORTED", `this cluster runs no pods on a node ${JSON.stringify(nodeName)}`);
    return agent;
  }

  get gateway(): Gateway | undefined {
    return this.#parts.gateway?.gateway;
  }

  get dnsServer(): { readonly host: string; readonly port: number } {
    return this.#parts.dns?.address ?? { host: "", port: 0 };
  }

  async listen(): Promise<string> {
    if (this.#server === "") {
      const { control, options } = this.#parts;
      await (this.#begun ??= control.server.listen());
      const { host, port } = control.server.address();
      this.#server = `https://${host}:${port}`;
      await writeKubeconfig(this.kubeconfig, await control.server.adminKubeconfig(`fairlead-${options.name}`));
    }
    return this.kubeconfig;
  }

  listensAt(address: string, port: number): number | undefined {
    for (const node of this.#parts.nodes) {
      const found = node.listensAt(address, port);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  limits(): readonly string[] {
    const { nodes, dns } = this.#parts;
    return [...new Set([...nodes.flatMap((node) => node.limits()), ...(dns?.limits() ?? [])])];
  }

  async connect(host: string, port: number): Promise<Duplex> {
    // What the caller has seen in the API is live before it connects.
    await this.settled();
    return await (this.#parts.nodes[0] as RunningNode).connect(host, port);
  }

  async query(name: string, type: string): Promise<DnsQueryResult> {
    const { dns } = this.#parts;
    if (dns === undefined) throw new FairleadError("FL_UNSUPPORTED", "this cluster runs without DNS");
    return await dns.query(name, type);
  }

  async settled(): Promise<void> {
    await Promise.all([
      ...this.#parts.nodes.map((node) => node.settled()),
      this.#parts.gateway?.settled(),
      this.#parts.gatewayApi?.settled(),
    ]);
  }

  stop(): Promise<void> {
    return this.#parts.release();
  }
}
