/**
 * Custom resources own, and are owned: for each established definition an informer joins the graph, and leaves it with the definition
 * (upstream `pkg/controller/garbagecollector` `Sync` asks discovery every 30 s instead).
 */
import { keyOf, type KubeObject } from "../../api/object.ts";
import { customResourceDefinitions, groupResource, type Resource } from "../../api/resources.ts";
import type { CustomResourceDefinition } from "../../api/types.ts";
import { createInformerFactory } from "../../client/informer-factory.ts";
import type { EventHandlers, Informer, InformerFactory } from "../../client/informer.ts";
import type { ControllerContext } from "../controller.ts";
import type { KeyQueue } from "../key-controller.ts";
import { memberId, type OwnerGraph } from "./graph.ts";

interface Followed {
  readonly resource: Resource;
  readonly informer: Informer<KubeObject>;
  /** Its own: it ends with the definition. */
  readonly factory: InformerFactory;
}

/** Gives the way to stop. */
export function followCustomResources(
  { client, informers, clock, log }: Pick<ControllerContext, "client" | "informers" | "clock" | "log">,
  graph: OwnerGraph,
  queue: Pick<KeyQueue, "add">,
  handlersFor: (resource: Resource) => EventHandlers<KubeObject>,
): () => void {
  const followed = new Map<string, Followed>();

  function follow(name: string, resource: Resource): void {
    const factory = createInformerFactory(client, { clock, log });
    const informer = factory.informer(resource as Resource<KubeObject>);
    graph.add(informer);
    informer.addHandlers(handlersFor(resource));
    followed.set(name, { resource, informer, factory });
    factory.start();
    // Until now each owner of the kind was taken for alive.
    void informer.waitForSync().then(
      () => lookAgain(resource),
      () => undefined,
    );
  }

  function lookAgain(resource: Resource): void {
    for (const { informer, object } of graph.dependentsOfKind(resource)) queue.add(memberId(informer.resource, object));
  }

  function leave(name: string): void {
    const found = followed.get(name);
    if (found === undefined) return;
    followed.delete(name);
    graph.remove(found.informer);
    void found.factory.stop();
    lookAgain(found.resource);
  }

  const changed = (definition: CustomResourceDefinition) => {
    const name = keyOf(undefined, definition.metadata.name ?? "");
    const resource = resourceOf(definition);
    const present = followed.get(name);
    if (present !== undefined && resource !== undefined && sameResource(present.resource, resource)) return;
    leave(name);
    if (resource !== undefined) follow(name, resource);
  };
  const unsubscribe = informers.informer(customResourceDefinitions).addHandlers({
    added: changed,
    updated: changed,
    deleted: ({ metadata }) => leave(keyOf(undefined, metadata.name ?? "")),
  });
  return () => {
    unsubscribe();
    for (const { factory } of followed.values()) void factory.stop();
    followed.clear();
  };
}

/** In the version that is stored, or else any that is served; undefined until it is established. */
export function resourceOf({ spec, status }: CustomResourceDefinition): Resource | undefined {
  const established = status?.conditions?.some(({ type, status: state }) => type === "Established" && state === "True") === true;
  const served = spec.versions.filter((version) => version.served);
  const version = served.find(({ storage }) => storage) ?? served[0];
  if (!established || version === undefined) return undefined;
  const { plural, kind } = spec.names;
  return { group: spec.group, version: version.name, plural, kind, namespaced: spec.scope === "Namespaced" };
}

function sameResource(a: Resource, b: Resource): boolean {
  return groupResource(a) === groupResource(b) && a.version === b.version && a.kind === b.kind && a.namespaced === b.namespaced;
}
