/** Deletes Events when they are an hour old: nobody watches them for that, they are looked through now and then. */
import { namespaces } from "../../api/resources.ts";
import type { Component } from "../../component/component.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController } from "../key-controller.ts";
import { deleteExpired } from "./finalize.ts";

export const eventTtlController: ControllerEntry = { name: "event-ttl", create };

/** Upstream's `--event-ttl`. */
const defaultTtlMs = 3_600_000;
const everyMs = 300_000;
const onlyKey = "events";

function create(context: ControllerContext): Component {
  const { client, clock, options } = context;
  return createKeyController({
    name: "event-ttl",
    context,
    workers: 1,
    // Nothing of it is looked at: when it has synced, the API answers.
    informers: [context.informers.informer(namespaces)],
    watch: (queue) => {
      queue.addAfter(onlyKey, everyMs);
      return [];
    },
    reconcile: async (key, queue) => {
      await deleteExpired(client, options.eventTtl ?? defaultTtlMs, clock.now());
      queue.addAfter(key, everyMs);
    },
  });
}
