/** Keeps the index of names in step with the cluster: each event changes what that object stands for, nothing else. */
import { endpointSlices, namespaces, pods, services } from "../../../api/resources.ts";
import type { KubeObject } from "../../../api/object.ts";
import { matchesLabels, type LabelSelector } from "../../../api/selectors.ts";
import type { EndpointSlice } from "../../../api/types.ts";
import type { EventHandlers, InformerFactory } from "../../../client/informer.ts";
import { MutableDnsIndex } from "../../../decide/dns/index.ts";

export interface FeedOptions {
  readonly now: () => number;
  /** Headless Services and endpoints have names. */
  readonly endpoints: boolean;
  /** Names of pods are checked against those there are. */
  readonly pods: boolean;
  /** Only Services and slices with these labels. */
  readonly labels: LabelSelector;
  /** Only namespaces with these. */
  readonly namespaceLabels: LabelSelector;
}

export class ClusterIndex {
  readonly index: MutableDnsIndex;
  readonly #informers: () => InformerFactory;
  readonly #options: FeedOptions;
  #started = false;
  readonly #stops: (() => void)[] = [];

  constructor(informers: () => InformerFactory, options: FeedOptions) {
    this.#informers = informers;
    this.#options = options;
    this.index = new MutableDnsIndex(options);
  }

  start(): void {
    this.#started = true;
    const { index } = this;
    const factory = this.#informers();
    const { labels, namespaceLabels } = this.#options;
    this.#stops.push(
      factory.informer(namespaces).addHandlers(
        selected(namespaceLabels, {
          set: ({ metadata }) => index.setNamespace(metadata.name ?? ""),
          remove: ({ metadata }) => index.deleteNamespace(metadata.name ?? ""),
        }),
      ),
      factory
        .informer(services)
        .addHandlers(selected(labels, { set: (service) => index.setService(service), remove: (service) => index.deleteService(service) })),
    );
    if (this.#options.endpoints) {
      const handlers = selected<EndpointSlice>(labels, {
        set: (slice) => index.setSlice(slice),
        remove: (slice) => index.deleteSlice(slice),
      });
      this.#stops.push(factory.informer(endpointSlices).addHandlers(handlers));
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
    if (!this.#started) return false;
    const factory = this.#informers();
    const needed = [
      factory.informer(namespaces),
      factory.informer(services),
      ...(this.#options.endpoints ? [factory.informer(endpointSlices)] : []),
      ...(this.#options.pods ? [factory.informer(pods)] : []),
    ];
    return needed.every(({ synced }) => synced);
  }
}

interface Target<T> {
  readonly set: (object: T) => void;
  readonly remove: (object: T) => void;
}

/** An object whose labels change may come and go as if it were made and deleted. */
function selected<T extends KubeObject>(selector: LabelSelector, { set, remove }: Target<T>): EventHandlers<T> {
  const matches = ({ metadata }: T) => matchesLabels(selector, metadata.labels ?? {});
  return {
    added: (object) => void (matches(object) && set(object)),
    updated: (object, old) => {
      if (matches(object)) set(object);
      else if (matches(old)) remove(object);
    },
    deleted: (object) => void (matches(object) && remove(object)),
  };
}
