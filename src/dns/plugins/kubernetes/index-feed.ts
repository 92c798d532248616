/** Keeps the index of names in step with the cluster: each event changes what that object stands for, nothing else. */
import { endpointSlices, namespaces, pods, services } from "../../../api/resources.ts";
import type { InformerFactory } from "../../../client/informer.ts";
import { MutableDnsIndex } from "../../../decide/dns/index.ts";

export interface FeedOptions {
  readonly now: () => number;
  /** Headless Services and endpoints have names. */
  readonly endpoints: boolean;
  /** Names of pods are checked against those there are. */
  readonly pods: boolean;
}

export class ClusterIndex {
  readonly index: MutableDnsIndex;
  readonly #informers: InformerFactory;
  readonly #options: FeedOptions;
  readonly #stops: (() => void)[] = [];

  constructor(informers: InformerFactory, options: FeedOptions) {
    this.#informers = informers;
    this.#options = options;
    this.index = new MutableDnsIndex(options);
  }

  start(): void {
    const { index } = this;
    const factory = this.#informers;
    this.#stops.push(
      factory.informer(namespaces).addHandlers({
        added: ({ metadata }) => index.setNamespace(metadata.name ?? ""),
        deleted: ({ metadata }) => index.deleteNamespace(metadata.name ?? ""),
      }),
      factory.informer(services).addHandlers({
        added: (service) => index.setService(service),
        updated: (service) => index.setService(service),
        deleted: (service) => index.deleteService(service),
      }),
    );
    if (this.#options.endpoints) {
      this.#stops.push(
        factory.informer(endpointSlices).addHandlers({
          added: (slice) => index.setSlice(slice),
          updated: (slice) => index.setSlice(slice),
          deleted: (slice) => index.deleteSlice(slice),
        }),
      );
    }
    if (this.#options.pods) {
      this.#stops.push(
        factory.informer(pods).addHandlers({
          added: (pod) => index.setPod(pod),
          updated: (pod) => index.setPod(pod),
          deleted: (pod) => index.deletePod(pod),
        }),
      );
    }
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  get synced(): boolean {
    const factory = this.#informers;
    const needed = [
      factory.informer(namespaces),
      factory.informer(services),
      ...(this.#options.endpoints ? [factory.informer(endpointSlices)] : []),
      ...(this.#options.pods ? [factory.informer(pods)] : []),
    ];
    return needed.every(({ synced }) => synced);
  }
}
