/** The Endpoints object of each Service with a selector (upstream `pkg/controller/endpoint`). */
import { objectKey, splitKey } from "../../api/object.ts";
import { endpoints } from "../../api/resources.ts";
import type { Endpoints } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { leaderAnnotation } from "../../decide/endpoints/names.ts";
import { noEndpointsReason } from "../../decide/endpoints/select.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { endpointInputs } from "../endpoint-inputs.ts";
import { createKeyController } from "../key-controller.ts";
import { OwnWrites } from "../own-writes.ts";
import { TriggerTimes } from "../trigger-times.ts";
import { deleteEndpoints, writeEndpoints, type EndpointsWriter } from "./finalize.ts";
import { planEndpoints } from "./reconcile.ts";

export const endpointsController: ControllerEntry = { name: "endpoints", create };

function create(context: ControllerContext): Component {
  const inputs = endpointInputs(context);
  const informer = context.informers.informer(endpoints);
  const writer: EndpointsWriter = {
    client: context.client,
    recorder: context.recorder("endpoint-controller"),
    own: new OwnWrites(informer, context.clock),
  };
  const triggerTimes = new TriggerTimes();

  async function reconcile(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const service = inputs.services.lister.get(namespace, name);
    const found = writer.own.get(namespace, name);
    const existing = found?.metadata.deletionTimestamp === undefined ? found : undefined;
    if (service === undefined) {
      triggerTimes.forget(key);
      if (existing !== undefined && existing.metadata.annotations?.[leaderAnnotation] === undefined)
        await deleteEndpoints(writer, existing);
      return;
    }
    if (noEndpointsReason(service) !== undefined) return;
    const pods = inputs.podsOf(service);
    await writeEndpoints(writer, planEndpoints(service, pods, existing, inputs.node, triggerTimes.next(service, pods)));
  }

  return createKeyController({
    name: "endpoints",
    context,
    informers: [inputs.services, inputs.pods, inputs.nodes, informer],
    follow: () => [writer.own.follow()],
    watch: (queue) => {
      const enqueue = (object: Endpoints) => queue.add(objectKey(object));
      // Those found at the start may be left over from a Service deleted while nobody watched.
      return [
        ...inputs.watch(queue),
        informer.addHandlers({ added: (object, initial) => (initial ? enqueue(object) : undefined), deleted: enqueue }),
      ];
    },
    reconcile,
  });
}
