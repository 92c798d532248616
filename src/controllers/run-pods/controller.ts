/**
 * Takes away the pods that `fairlead run` made once they are over. The command does that itself when it can; when it was killed,
 * its pod ends by itself and this finds it.
 */
import { objectKey, splitKey } from "../../api/object.ts";
import { pods } from "../../api/resources.ts";
import type { Pod } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController } from "../key-controller.ts";
import { removePod } from "../pod-gc/finalize.ts";
import { isOver } from "./reconcile.ts";

export const runPodsController: ControllerEntry = { name: "run-pods", create };

function create(context: ControllerContext): Component {
  const informer = context.informers.informer(pods);
  return createKeyController({
    name: "run-pods",
    context,
    informers: [informer],
    watch: (queue) => {
      const look = (pod: Pod) => (isOver(pod) ? queue.add(objectKey(pod)) : undefined);
      return [informer.addHandlers({ added: look, updated: look })];
    },
    async reconcile(key) {
      const { namespace, name } = splitKey(key);
      const pod = informer.lister.get(namespace, name);
      if (pod !== undefined && isOver(pod)) await removePod(context.client, pod);
    },
    workers: 1,
  });
}
