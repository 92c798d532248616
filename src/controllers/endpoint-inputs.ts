/** What the Endpoints and the EndpointSlice controller have in common: their inputs, and which changes of those matter. */
import { objectKey } from "../api/object.ts";
import { nodes, pods, services } from "../api/resources.ts";
import type { Node, Pod, Service } from "../api/types.ts";
import type { Informer } from "../client/informer.ts";
import { semanticEqual } from "../decide/endpoints/equal.ts";
import { isPodFinished, isPodReady, isPodTerminating, podAddresses } from "../decide/endpoints/pod-state.ts";
import { matchesSelector, type NodeLookup } from "../decide/endpoints/select.ts";
import type { ControllerContext } from "./controller.ts";
import { addSelectorIndexes, podNodeValues } from "./indexes.ts";
import type { KeyQueue } from "./key-controller.ts";

export interface EndpointInputs {
  readonly services: Informer<Service>;
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly node: NodeLookup;
  /** Pods that the Service's selector matches, by name, so that the same pods give the same endpoints. */
  podsOf(service: Service): readonly Pod[];
  /** Puts the key of every Service into the queue that a change concerns. */
  watch(queue: KeyQueue): readonly (() => void)[];
}

export function endpointInputs({ informers, options }: ControllerContext): EndpointInputs {
  const serviceInformer = informers.informer(services);
  const podInformer = informers.informer(pods);
  const nodeInformer = informers.informer(nodes);
  const { podsFor, servicesFor } = addSelectorIndexes(podInformer, serviceInformer);
  podInformer.addIndex("controllers/node", podNodeValues);
  const batchPeriod = options.endpointUpdatesBatchPeriod ?? 0;

  const watch = (queue: KeyQueue): readonly (() => void)[] => {
    const ofService = (service: Service) => queue.add(objectKey(service));
    const ofPod = (pod: Pod) => {
      for (const service of servicesFor(pod)) {
        if (matchesSelector(service.spec?.selector, pod.metadata.labels)) queue.addAfter(objectKey(service), batchPeriod);
      }
    };
    const podChanged = (pod: Pod, old: Pod) => {
      const relabeled = !semanticEqual(pod.metadata.labels, old.metadata.labels);
      if (!relabeled && !changesEndpoints(pod, old)) return;
      ofPod(pod);
      if (relabeled) ofPod(old);
    };
    const ofNode = ({ metadata }: Node) => podInformer.lister.byIndex("controllers/node", metadata.name ?? "").forEach(ofPod);
    const nodeChanged = (node: Node, old: Node) => {
      if (zoneOf(node) !== zoneOf(old)) ofNode(node);
    };
    return [
      serviceInformer.addHandlers({ added: ofService, updated: ofService, deleted: ofService }),
      podInformer.addHandlers({ added: ofPod, updated: podChanged, deleted: ofPod }),
      nodeInformer.addHandlers({ added: ofNode, updated: nodeChanged, deleted: ofNode }),
    ];
  };

  return {
    services: serviceInformer,
    pods: podInformer,
    nodes: nodeInformer,
    node: (name) => nodeInformer.lister.get(undefined, name),
    podsOf: (service) =>
      podsFor(service)
        .filter(({ metadata }) => matchesSelector(service.spec?.selector, metadata.labels))
        .sort((a, b) => ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1)),
    watch,
  };
}

const zoneOf = ({ metadata }: Node): string | undefined => metadata.labels?.["topology.kubernetes.io/zone"];

/** Of all that changes in a pod, only this shows in endpoints (upstream `podEndpointsChanged`). */
export function changesEndpoints(pod: Pod, old: Pod): boolean {
  return (
    isPodTerminating(pod) !== isPodTerminating(old) ||
    isPodFinished(pod) !== isPodFinished(old) ||
    isPodReady(pod) !== isPodReady(old) ||
    pod.metadata.uid !== old.metadata.uid ||
    pod.spec?.nodeName !== old.spec?.nodeName ||
    pod.spec?.hostname !== old.spec?.hostname ||
    pod.spec?.subdomain !== old.spec?.subdomain ||
    podAddresses(pod).join() !== podAddresses(old).join()
  );
}
