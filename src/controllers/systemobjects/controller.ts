/** Makes the objects that every cluster has, once, at its start. */
import { keyOf } from "../../api/object.ts";
import { storageClasses } from "../../api/resources.ts";
import type { Component } from "../../component/component.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController } from "../key-controller.ts";
import { ensure } from "./finalize.ts";
import { systemObjects } from "./reconcile.ts";

export const systemObjectsController: ControllerEntry = { name: "systemobjects", create };

function create(context: ControllerContext): Component {
  const { serviceClusterIPRanges = [], volumeDirectory } = context.options;
  const objects = new Map(
    systemObjects({ serviceRanges: serviceClusterIPRanges, provisions: volumeDirectory !== undefined }).map((entry) => [
      keyOf(entry.resource.plural, entry.object.metadata.name ?? ""),
      entry,
    ]),
  );
  return createKeyController({
    name: "systemobjects",
    context,
    informers: [context.informers.informer(storageClasses)],
    watch: (queue) => {
      for (const key of objects.keys()) queue.add(key);
      return [];
    },
    reconcile: async (key) => {
      const entry = objects.get(key);
      if (entry !== undefined) await ensure(context.client, entry);
    },
  });
}
