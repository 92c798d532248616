/**
 * Follows the Gateway API's kinds as they come into being: their definitions are installed by users, at any time, one after the other.
 */
import type { KubeObject } from "../../api/object.ts";
import { customResourceDefinitions, type Resource } from "../../api/resources.ts";
import type { EventHandlers, Informer, InformerFactory } from "../../client/informer.ts";
import { bundleVersionAnnotation, channelAnnotation, resourceOf, type GatewayKind, type GatewayKinds } from "./resources.ts";

type HandlersByKind = { readonly [K in GatewayKind]: EventHandlers<GatewayKinds[K] & KubeObject> };

export interface FollowOptions {
  readonly informers: InformerFactory;
  readonly handlers: HandlersByKind;
  /** Another kind is followed now, or the definitions themselves changed. */
  readonly changed: () => void;
}

export class KindFollower {
  readonly #options: FollowOptions;
  readonly #followed = new Map<GatewayKind, Informer<KubeObject>>();
  #bundle = { version: "", channel: "" };
  #unsubscribe: (() => void)[] = [];

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  start(): void {
    const look = (definition: Parameters<typeof resourceOf>[0]) => {
      const resource = resourceOf(definition);
      if (resource === undefined) return;
      const { annotations = {} } = definition.metadata;
      if (resource.kind === "Gateway")
        this.#bundle = { version: annotations[bundleVersionAnnotation] ?? "", channel: annotations[channelAnnotation] ?? "" };
      this.#follow(resource);
      this.#options.changed();
    };
    const informer = this.#options.informers.informer(customResourceDefinitions);
    this.#unsubscribe.push(informer.addHandlers({ added: look, updated: look }));
  }

  #follow(resource: Resource<KubeObject>): void {
    const kind = resource.kind as GatewayKind;
    if (this.#followed.has(kind)) return;
    const informer = this.#options.informers.informer(resource);
    this.#followed.set(kind, informer);
    const handlers = this.#options.handlers[kind] as EventHandlers<KubeObject>;
    this.#unsubscribe.push(informer.addHandlers(handlers));
    this.#options.changed();
    void informer.waitForSync().then(this.#options.changed, () => {});
  }

  resource(kind: GatewayKind): Resource<KubeObject> | undefined {
    return this.#followed.get(kind)?.resource;
  }

  get(kind: GatewayKind, key: string): KubeObject | undefined {
    return this.#followed.get(kind)?.lister.getByKey(key);
  }

  list<K extends GatewayKind>(kind: K, namespace?: string): readonly GatewayKinds[K][] {
    return (this.#followed.get(kind)?.lister.list(namespace) ?? []) as unknown as readonly GatewayKinds[K][];
  }

  /** Whether all kinds that are followed have been read once. */
  get synced(): boolean {
    return [...this.#followed.values()].every(({ synced }) => synced);
  }

  /** Release of the definitions (`v1.6.0`) and channel (`standard`); "": unknown. */
  get bundle(): { readonly version: string; readonly channel: string } {
    return this.#bundle;
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
  }
}
