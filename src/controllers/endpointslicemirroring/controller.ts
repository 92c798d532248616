/** EndpointSlices for Endpoints that somebody writes by hand (upstream `pkg/controller/endpointslicemirroring`). */
import { objectKey, splitKey } from "../../api/object.ts";
import { endpoints, endpointSlices, services } from "../../api/resources.ts";
import type { Endpoints, EndpointSlice, Service } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { mirroringControllerName, sliceManagedByLabel } from "../../decide/endpoints/names.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { deleteSlice, writeSlices, type SliceWriter } from "../endpointslice/finalize.ts";
import { sliceServiceValues } from "../indexes.ts";
import { createKeyController } from "../key-controller.ts";
import { OwnWrites } from "../own-writes.ts";
import { isMirrored, planMirror } from "./reconcile.ts";

export const endpointSliceMirroringController: ControllerEntry = { name: "endpointslicemirroring", create };

const isManaged = ({ metadata }: EndpointSlice): boolean => metadata.labels?.[sliceManagedByLabel] === mirroringControllerName;

function create(context: ControllerContext): Component {
  const endpointsInformer = context.informers.informer(endpoints);
  const serviceInformer = context.informers.informer(services);
  const sliceInformer = context.informers.informer(endpointSlices);
  sliceInformer.addIndex("controllers/service", sliceServiceValues);
  const recorder = context.recorder("endpoint-slice-mirroring-controller");
  const writer: SliceWriter = { client: context.client, ownSlices: new OwnWrites(sliceInformer, context.clock) };
  const max = context.options.mirroringMaxEndpointsPerSubset ?? 1000;

  const mirrorsOf = (key: string): readonly EndpointSlice[] =>
    writer.ownSlices
      .over(sliceInformer.lister.byIndex("controllers/service", key), (slice) => sliceServiceValues(slice)[0] === key)
      .filter((slice) => isManaged(slice) && slice.metadata.deletionTimestamp === undefined);

  async function reconcile(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const object = endpointsInformer.lister.get(namespace, name);
    if (object === undefined || !isMirrored(object, serviceInformer.lister.get(namespace, name))) {
      for (const slice of mirrorsOf(key)) await deleteSlice(writer, slice);
      return;
    }
    const { changes, events } = planMirror(object, mirrorsOf(key), max);
    for (const { reason, message } of events) recorder.event(object, "Warning", reason, message);
    await writeSlices(writer, changes, true, undefined);
  }

  return createKeyController({
    name: "endpointslicemirroring",
    context,
    informers: [endpointsInformer, serviceInformer, sliceInformer],
    follow: () => [writer.ownSlices.follow()],
    watch: (queue) => {
      const enqueue = (object: Endpoints | Service) => queue.add(objectKey(object));
      const ofSlice = (slice: EndpointSlice) => {
        const [key] = sliceServiceValues(slice);
        if (key !== undefined && isManaged(slice)) queue.add(key);
      };
      return [
        endpointsInformer.addHandlers({ added: enqueue, updated: enqueue, deleted: enqueue }),
        serviceInformer.addHandlers({ added: enqueue, updated: enqueue, deleted: enqueue }),
        sliceInformer.addHandlers({ added: ofSlice, updated: ofSlice, deleted: ofSlice }),
      ];
    },
    reconcile,
  });
}
