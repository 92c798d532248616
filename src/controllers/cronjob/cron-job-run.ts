/** The Job of one run of a CronJob (upstream `utils.go` `getJobFromTemplate2`). Pure. */
import { cronJobs, jobs } from "../../api/resources.ts";
import type { CronJob, Job, ObjectReference } from "../../api/types.ts";
import { rfc3339 } from "../../lib/clock.ts";
import { controllerReference } from "../claim.ts";

/** When the run was due, which need not be when it began. */
export const scheduledAtAnnotation = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/** The minute is in the name: no run is made twice, whatever this program has forgotten. */
export const runName = ({ metadata }: CronJob, time: number): string => `${metadata.name}-${Math.floor(time / 60_000)}`;

export function cronJobRun(cronJob: CronJob, time: number): Job {
  const { metadata, spec } = cronJob.spec?.jobTemplate ?? {};
  const { namespace } = cronJob.metadata;
  return {
    metadata: {
      name: runName(cronJob, time),
      ...(namespace === undefined ? {} : { namespace }),
      ...(metadata?.labels === undefined ? {} : { labels: metadata.labels }),
      annotations: { ...metadata?.annotations, [scheduledAtAnnotation]: rfc3339(time) },
      ownerReferences: [controllerReference(cronJob, cronJobs)],
    },
    ...(spec === undefined ? {} : { spec }),
  };
}

/** When the run was due. */
export function scheduledTime({ metadata }: Job): number {
  return Date.parse(metadata.annotations?.[scheduledAtAnnotation] ?? "");
}

export function jobReference({ metadata }: Job): ObjectReference {
  const { name = "", namespace, uid, resourceVersion } = metadata;
  return JSON.parse(
    JSON.stringify({ apiVersion: `${jobs.group}/${jobs.version}`, kind: jobs.kind, name, namespace, uid, resourceVersion }),
  ) as ObjectReference;
}
