/** EndpointSlices of Services with a selector (upstream `pkg/controller/endpointslice`). */
import { objectKey, splitKey } from "../../api/object.ts";
import { endpointSlices } from "../../api/resources.ts";
import { isConflict } from "../../api/status.ts";
import type { EndpointSlice, Node } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { sliceControllerName, sliceManagedByLabel } from "../../decide/endpoints/names.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import { noEndpointsReason } from "../../decide/endpoints/select.ts";
import { wantsZoneHints, zoneFacts } from "../../decide/endpoints/zone-hints.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { endpointInputs } from "../endpoint-inputs.ts";
import { sliceServiceValues } from "../indexes.ts";
import { createKeyController } from "../key-controller.ts";
import { OwnWrites } from "../own-writes.ts";
import { TriggerTimes } from "../trigger-times.ts";
import { deleteSlice, writeSlices, type SliceWriter } from "./finalize.ts";
import { planServiceSlices } from "./reconcile.ts";
import { withheldHints } from "./withheld-hints.ts";

export const endpointSliceController: ControllerEntry = { name: "endpointslice", create };

const isManaged = ({ metadata }: EndpointSlice): boolean => metadata.labels?.[sliceManagedByLabel] === sliceControllerName;

function create(context: ControllerContext): Component {
  const inputs = endpointInputs(context);
  const sliceInformer = context.informers.informer(endpointSlices);
  sliceInformer.addIndex("controllers/service", sliceServiceValues);
  const recorder = context.recorder("endpoint-slice-controller");
  const writer: SliceWriter = { client: context.client, ownSlices: new OwnWrites(sliceInformer, context.clock) };
  const triggerTimes = new TriggerTimes();
  /** Why a Service of topology mode Auto has no hints: said once, though nothing is written. */
  const said = new Map<string, string>();
  const max = context.options.maxEndpointsPerSlice ?? 100;

  const slicesOf = (key: string): readonly EndpointSlice[] =>
    writer.ownSlices
      .over(sliceInformer.lister.byIndex("controllers/service", key), (slice) => sliceServiceValues(slice)[0] === key)
      .filter((slice) => isManaged(slice) && slice.metadata.deletionTimestamp === undefined);

  async function reconcile(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const service = inputs.services.lister.get(namespace, name);
    // The slices of a Service that is gone are the garbage collector's.
    if (service === undefined) {
      said.delete(key);
      return triggerTimes.forget(key);
    }
    const reason = noEndpointsReason(service);
    if (reason === "ExternalName") {
      for (const slice of slicesOf(key)) await deleteSlice(writer, slice);
    }
    if (reason !== undefined) return;
    const pods = inputs.podsOf(service);
    const nodes = () => inputs.nodes.lister.list();
    const { changes, leftOut, withheld: why } = planServiceSlices(service, pods, slicesOf(key), { node: inputs.node, nodes, max });
    const triggerTime = triggerTimes.next(service, pods);
    try {
      await writeSlices(writer, changes, service.metadata.deletionTimestamp === undefined, triggerTime);
    } catch (error) {
      const message = `Error updating Endpoint Slices for Service ${key}: ${errorMessage(error)}`;
      if (!isConflict(error)) recorder.event(service, "Warning", "FailedToUpdateEndpointSlices", message);
      throw error;
    }
    const changed = [...changes.create, ...changes.update];
    const withheld = why ?? (changed.length === 0 ? undefined : withheldHints(service, changed));
    if (withheld !== undefined && (changed.length > 0 || said.get(key) !== withheld))
      recorder.event(service, "Warning", "TopologyAwareHintsDisabled", withheld);
    if (why === undefined) said.delete(key);
    else said.set(key, why);
    for (const { pod, reason: why, detail } of leftOut) {
      if (why === "NodeNotFound")
        context.log.debug("pod left out of endpoints", { service: key, pod: pod.metadata.name, reason: why, detail });
    }
  }

  return createKeyController({
    name: "endpointslice",
    context,
    informers: [inputs.services, inputs.pods, inputs.nodes, sliceInformer],
    follow: () => [writer.ownSlices.follow()],
    watch: (queue) => {
      const ofSlice = (slice: EndpointSlice) => {
        const [key] = sliceServiceValues(slice);
        if (key !== undefined && isManaged(slice)) queue.add(key);
      };
      const sliceChanged = (slice: EndpointSlice, old: EndpointSlice) => {
        ofSlice(slice);
        // Taken over by another manager or moved to another Service: the former one wants a slice of its own.
        if (isManaged(slice) !== isManaged(old) || sliceServiceValues(slice)[0] !== sliceServiceValues(old)[0]) ofSlice(old);
      };
      // Zones' CPUs decide where those of topology mode Auto have their hints.
      const zonesChanged = () => {
        for (const service of inputs.services.lister.list()) if (wantsZoneHints(service)) queue.add(objectKey(service));
      };
      const nodeChanged = (node: Node, old: Node) => {
        if (!semanticEqual(zoneFacts(node), zoneFacts(old))) zonesChanged();
      };
      return [
        ...inputs.watch(queue),
        sliceInformer.addHandlers({ added: ofSlice, updated: sliceChanged, deleted: ofSlice }),
        inputs.nodes.addHandlers({ added: zonesChanged, updated: nodeChanged, deleted: zonesChanged }),
      ];
    },
    reconcile,
  });
}
