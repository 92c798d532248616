/**
 * Tells people about Services whose selector finds no pod: an Event, with what nearly matches. Kubernetes itself says nothing,
 * and a typo in a selector is the commonest reason for a Service that does not answer.
 */
import { pods, services } from "../../api/resources.ts";
import { splitKey } from "../../api/object.ts";
import type { Component } from "../../component/component.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController } from "../key-controller.ts";
import { OnceEach, selectorProblem } from "./reconcile.ts";

export const serviceSelectorController: ControllerEntry = { name: "serviceselector", create };

/** Its pods may well come right after the Service: only what is still so after this is worth an Event. */
const patienceMs = 2000;

function create(context: ControllerContext): Component {
  const [serviceInformer, podInformer] = [context.informers.informer(services), context.informers.informer(pods)];
  const recorder = context.recorder("service-selector-controller");
  const told = new OnceEach();

  async function reconcile(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const service = serviceInformer.lister.get(namespace, name);
    if (service === undefined) return told.forget(key);
    const problem = selectorProblem(service, podInformer.lister.list());
    if (told.isNews(key, problem)) recorder.event(service, "Warning", "SelectsNothing", problem as string);
  }

  return createKeyController({
    name: "serviceselector",
    context,
    informers: [serviceInformer, podInformer],
    watch: (queue) => {
      const later = ({
        metadata,
      }: {
        readonly metadata: { readonly namespace?: string | undefined; readonly name?: string | undefined };
      }) => queue.addAfter(`${metadata.namespace}/${metadata.name}`, patienceMs);
      // Pods that come or go may change it for any Service of their namespace; those that have been told about are looked at again.
      const podChanged = ({ metadata }: { readonly metadata: { readonly namespace?: string | undefined } }) => {
        for (const key of told.keysOf(metadata.namespace ?? "")) queue.addAfter(key, patienceMs);
      };
      return [
        serviceInformer.addHandlers({ added: later, updated: later, deleted: later }),
        podInformer.addHandlers({ added: podChanged, deleted: podChanged }),
      ];
    },
    reconcile,
    workers: 1,
  });
}
