/** The pods of a Job (upstream `job_controller.go` `manageJob`, `indexed_job_utils.go`). Pure. */
import { jobs } from "../../api/resources.ts";
import type { Container, EnvVar, Job, Pod } from "../../api/types.ts";
import { isPodFinished, isPodTerminating } from "../../decide/endpoints/pod-state.ts";
import { controllerReference } from "../claim.ts";
import { podFromTemplate } from "../pod-control.ts";
import { completionIndexKey } from "./indexes.ts";
import { indexFailureCountKey } from "./per-index.ts";

/** Keeps a pod that has ended until it is counted. */
export const trackingFinalizer = "batch.kubernetes.io/job-tracking";

export const isTracked = ({ metadata }: Pod): boolean => metadata.finalizers?.includes(trackingFinalizer) === true;

export const isActive = (pod: Pod): boolean => !isPodFinished(pod) && !isPodTerminating(pod);

export const isIndexed = ({ spec }: Job): boolean => spec?.completionMode === "Indexed";

export function jobPod(job: Job): Pod {
  const pod = podFromTemplate(job, job.spec?.template, controllerReference(job, jobs));
  return { ...pod, metadata: { ...pod.metadata, finalizers: [...(pod.metadata.finalizers ?? []), trackingFinalizer] } };
}

/** Name, host name, label, annotation and environment all tell the index. `failures`: of the index, where they are limited. */
export function indexedPod(job: Job, index: number, failures?: number): Pod {
  const pod = jobPod(job);
  const own = { [completionIndexKey]: String(index) };
  const { name } = job.metadata;
  const named = (containers: readonly Container[] | undefined) => containers?.map(withIndex);
  const spec = pod.spec ?? { containers: [] };
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: `${name}-${index}-`,
      annotations: { ...pod.metadata.annotations, ...own, ...(failures === undefined ? {} : { [indexFailureCountKey]: String(failures) }) },
      labels: { ...pod.metadata.labels, ...own },
    },
    spec: {
      ...spec,
      hostname: `${name}-${index}`,
      containers: named(spec.containers) ?? [],
      ...(spec.initContainers === undefined ? {} : { initContainers: named(spec.initContainers) ?? [] }),
    },
  };
}

function withIndex(container: Container): Container {
  const { env = [] } = container;
  if (env.some(({ name }) => name === "JOB_COMPLETION_INDEX")) return container;
  const variable: EnvVar = {
    name: "JOB_COMPLETION_INDEX",
    valueFrom: { fieldRef: { fieldPath: `metadata.labels['${completionIndexKey}']` } },
  };
  return { ...container, env: [...env, variable] };
}
