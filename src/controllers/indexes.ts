/** Index functions that several controllers share; an informer wants one function per name. */
import type { KubeObject } from "../api/object.ts";
import type { Pod, Service } from "../api/types.ts";
import type { Informer } from "../client/informer.ts";
import { serviceNameLabel } from "../decide/endpoints/names.ts";
import { controllerOf } from "./claim.ts";

/** By the uid of the controller; objects without one by `orphans/<namespace>`. */
export function addControllerIndex<T extends KubeObject>(informer: Informer<T>): (uid: string, namespace: string) => readonly T[] {
  informer.addIndex("controllers/controller", controllerValues);
  return (uid, namespace) => [
    ...informer.lister.byIndex("controllers/controller", uid),
    ...informer.lister.byIndex("controllers/controller", `orphans/${namespace}`),
  ];
}

const controllerValues = (object: KubeObject): readonly string[] => [
  controllerOf(object)?.uid ?? `orphans/${object.metadata.namespace ?? ""}`,
];

/**
 * Pods by each of their labels, Services by one pair of their selector: what matches is found without going over all
 * pods or all Services of a namespace.
 */
export function addSelectorIndexes(pods: Informer<Pod>, services: Informer<Service>) {
  pods.addIndex("controllers/labels", labelValues);
  services.addIndex("controllers/selector", selectorValues);
  return {
    /** Pods that may match: those with the indexed pair. */
    podsFor: (service: Service): readonly Pod[] => {
      const pair = selectorValues(service)[0];
      return pair === undefined ? [] : pods.lister.byIndex("controllers/labels", pair);
    },
    /** Services that may select a pod with these labels. */
    servicesFor: (pod: Pod): readonly Service[] =>
      labelValues(pod).flatMap((pair) => services.lister.byIndex("controllers/selector", pair)),
  };
}

const labelValues = ({ metadata }: Pod): readonly string[] =>
  Object.entries(metadata.labels ?? {}).map(([key, value]) => `${metadata.namespace ?? ""}/${key}=${value}`);

const selectorValues = ({ metadata, spec }: Service): readonly string[] => {
  const [pair] = Object.entries(spec?.selector ?? {});
  return pair === undefined ? [] : [`${metadata.namespace ?? ""}/${pair[0]}=${pair[1]}`];
};

/** Slices by the Service that they belong to: `namespace/service`. */
export function sliceServiceValues({ metadata }: KubeObject): readonly string[] {
  const service = metadata.labels?.[serviceNameLabel];
  return service === undefined ? [] : [`${metadata.namespace ?? ""}/${service}`];
}

/** Pods by node: `""` for those that have none. */
export const podNodeValues = ({ spec }: Pod): readonly string[] => [spec?.nodeName ?? ""];
