/** The cluster as all pages of one console see it: informers that begin with the first page, facts, and counters that one reading serves. */
import type { KubeObject } from "../api/object.ts";
import type { Resource } from "../api/resources.ts";
import type { Client } from "../client/client.ts";
import type { Informer, InformerFactory } from "../client/informer.ts";
import type { Clock } from "../lib/clock.ts";
import { followable, gatewayResources, type Followable } from "./kinds.ts";
import { readCounters } from "./counters.ts";
import type { ClusterFacts, Counters, Lack } from "./wire.ts";

export interface WorldOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly name: string;
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  /** Default `cluster.local`. */
  readonly clusterDomain?: string;
  /** Default: it is not known. */
  readonly networkPolicy?: ClusterFacts["networkPolicy"];
  readonly clock: Clock;
}

export interface Opened {
  readonly facts: ClusterFacts;
  readonly lacking: readonly Lack[];
  readonly informers: readonly Informer<KubeObject>[];
}

export class World {
  readonly #options: WorldOptions;
  #own: Promise<Followable> | undefined;
  #facts: Promise<ClusterFacts> | undefined;
  #counters: { readonly at: number; readonly reading: Promise<Counters> } | undefined;
  readonly #open = new Map<string, Informer<KubeObject>>();

  constructor(options: WorldOptions) {
    this.#options = options;
  }

  /** What a new page follows. Rights and kinds of before are remembered; the Gateway API may have been installed since. */
  async open(): Promise<Opened> {
    const { client } = this.#options;
    const [facts, own, gateway] = await Promise.all([this.#cluster(), this.#rights(), gatewayResources(client)]);
    const informers = [...own.resources, ...gateway].map((resource) => this.#informer(resource));
    const lacking = facts.fairlead
      ? own.lacking
      : [...own.lacking, { what: "counters", why: "this cluster is not Fairlead's: nobody counts its traffic for this console" }];
    return { facts, lacking, informers };
  }

  objects(kind: string): readonly KubeObject[] {
    return this.#open.get(kind)?.lister.list() ?? [];
  }

  /** At most one reading a second, however many pages look. Undefined: this cluster has none. */
  async counters(): Promise<Counters | undefined> {
    const { client, clock } = this.#options;
    if (!(await this.#cluster()).fairlead) return undefined;
    const now = clock.monotonic();
    if (this.#counters === undefined || now - this.#counters.at >= 900)
      this.#counters = { at: now, reading: readCounters(client, clock.now()) };
    return this.#counters.reading;
  }

  #informer(resource: Resource): Informer<KubeObject> {
    const known = this.#open.get(resource.kind);
    if (known !== undefined) return known;
    const informer = this.#options.informers.informer(resource);
    this.#open.set(resource.kind, informer);
    return informer;
  }

  /** Failures are not remembered: the cluster may be back for the next page. */
  #cluster(): Promise<ClusterFacts> {
    this.#facts ??= this.#readFacts().catch((error: unknown) => {
      this.#facts = undefined;
      throw error;
    });
    return this.#facts;
  }

  #rights(): Promise<Followable> {
    this.#own ??= followable(this.#options.client).catch((error: unknown) => {
      this.#own = undefined;
      throw error;
    });
    return this.#own;
  }

  async #readFacts(): Promise<ClusterFacts> {
    const { client, name, server, clusterDomain = "cluster.local", networkPolicy = "unknown" } = this.#options;
    const { gitVersion = "" } = (await client.raw("/version")) as { readonly gitVersion?: string };
    return { name, server, version: gitVersion, fairlead: gitVersion.includes("fairlead"), clusterDomain, networkPolicy };
  }
}
