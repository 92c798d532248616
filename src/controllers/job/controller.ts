/** Jobs: pods that run to their end, as often as asked (upstream `pkg/controller/job`, `pkg/controller/ttlafterfinished`). */
import { keyOf, objectKey, splitKey } from "../../api/object.ts";
import { jobs, pods } from "../../api/resources.ts";
import { selectorOf } from "../../api/selectors.ts";
import type { Job, Pod } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { Breather } from "../breather.ts";
import { claim, controllerOf } from "../claim.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { addControllerIndex } from "../indexes.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { OwnWrites } from "../own-writes.ts";
import { claimPods } from "../pod-control.ts";
import { watchPodsOf } from "../watch-pods.ts";
import { deleteExpired, finalize, releasePod, type JobWriter } from "./finalize.ts";
import { jobNameOf } from "./indexes.ts";
import { isTracked } from "./job-pod.ts";
import { planJob } from "./reconcile.ts";
import { expiresIn } from "./ttl.ts";

export const jobController: ControllerEntry = { name: "job", create };

/** Tracked pods by the Job whose name they carry, be it there or not. */
function trackedValues(pod: Pod): readonly string[] {
  const name = jobNameOf(pod);
  return name === undefined || !isTracked(pod) ? [] : [keyOf(pod.metadata.namespace, name)];
}

function create(context: ControllerContext): Component {
  const { client, clock, random } = context;
  const jobInformer = context.informers.informer(jobs);
  const podInformer = context.informers.informer(pods);
  const podsOf = addControllerIndex(podInformer);
  podInformer.addIndex("controllers/tracked", trackedValues);
  const writer: JobWriter = {
    client,
    recorder: context.recorder("job-controller"),
    ownPods: new OwnWrites(podInformer, clock),
    breather: new Breather(clock),
    ownJobs: new OwnWrites(jobInformer, clock),
  };

  /** Pods whose Job is gone, or that were taken from it: nobody will count them. */
  async function releaseOrphans(key: string, job: Job | undefined): Promise<void> {
    for (const pod of podInformer.lister.byIndex("controllers/tracked", key)) {
      if (job === undefined || controllerOf(pod)?.uid !== job.metadata.uid) await releasePod(writer, writer.ownPods.newest(pod));
    }
  }

  async function membersOf(job: Job): Promise<readonly Pod[]> {
    const { uid = "", namespace = "" } = job.metadata;
    const mayBelong = (pod: Pod) => pod.metadata.namespace === namespace && (controllerOf(pod)?.uid ?? uid) === uid;
    const claims = claim(job, selectorOf(job.spec?.selector), writer.ownPods.over(podsOf(uid, namespace), mayBelong));
    await claimPods(writer, job, jobs, claims);
    return [...claims.held, ...claims.adopt].map((pod) => writer.ownPods.newest(pod));
  }

  async function reconcile(key: string, queue: KeyQueue): Promise<void> {
    const { namespace, name } = splitKey(key);
    const job = writer.ownJobs.get(namespace, name);
    await releaseOrphans(key, job);
    if (job?.spec === undefined || job.spec.managedBy !== undefined) return;
    const now = clock.now();
    const plan = planJob(job, await membersOf(job), now, random);
    await finalize(writer, job, plan);
    const ttl = expiresIn(job, now);
    if (ttl === 0) return deleteExpired(writer, job);
    const waits = [plan.againIn, ttl].filter((wait) => wait !== undefined);
    if (waits.length > 0) queue.addAfter(key, Math.min(...waits));
  }

  return createKeyController({
    name: "job",
    context,
    informers: [jobInformer, podInformer],
    follow: () => [writer.ownPods.follow(), writer.ownJobs.follow()],
    watch: (queue) => {
      const enqueue = (job: Job) => queue.add(objectKey(job));
      const ofTracked = (pod: Pod) => trackedValues(pod).forEach((key) => queue.add(key));
      const owners = { kind: "Job", owners: jobInformer, selectorOf: ({ spec }: Job) => selectorOf(spec?.selector) };
      return [
        jobInformer.addHandlers({ added: enqueue, updated: enqueue, deleted: enqueue }),
        podInformer.addHandlers({ added: ofTracked, updated: ofTracked }),
        watchPodsOf(podInformer, owners, queue),
      ];
    },
    reconcile,
  });
}
