/** CronJobs: Jobs by the clock (upstream `pkg/controller/cronjob`). */
import { keyOf, objectKey, splitKey } from "../../api/object.ts";
import { cronJobs, jobs } from "../../api/resources.ts";
import type { CronJob, Job } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { controllerOf } from "../claim.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { addControllerIndex } from "../indexes.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { OwnWrites } from "../own-writes.ts";
import { finalize, type CronJobWriter } from "./finalize.ts";
import { planCronJob } from "./reconcile.ts";

export const cronJobController: ControllerEntry = { name: "cronjob", create };

/**
 * A timer stands still while a laptop sleeps, and cannot be set for months: the clock is looked at again at least this
 * often, so a run that fell due in its sleep begins soon after.
 */
const longestWaitMs = 20_000;

function create(context: ControllerContext): Component {
  const { client, clock } = context;
  const cronJobInformer = context.informers.informer(cronJobs);
  const jobInformer = context.informers.informer(jobs);
  const jobsOf = addControllerIndex(jobInformer);
  const writer: CronJobWriter = {
    client,
    recorder: context.recorder("cronjob-controller"),
    ownJobs: new OwnWrites(jobInformer, clock),
    ownCronJobs: new OwnWrites(cronJobInformer, clock),
  };

  async function reconcile(key: string, queue: KeyQueue): Promise<void> {
    const { namespace, name } = splitKey(key);
    const cronJob = writer.ownCronJobs.get(namespace, name);
    if (cronJob === undefined) return;
    const { uid = "", namespace: where = "" } = cronJob.metadata;
    const belongs = (job: Job) => job.metadata.namespace === where && controllerOf(job)?.uid === uid;
    const plan = planCronJob(cronJob, writer.ownJobs.over(jobsOf(uid, where), belongs).filter(belongs), clock.now());
    await finalize(writer, cronJob, plan);
    if (plan.againIn !== undefined) queue.addAfter(key, Math.min(plan.againIn, longestWaitMs));
  }

  return createKeyController({
    name: "cronjob",
    context,
    informers: [cronJobInformer, jobInformer],
    follow: () => [writer.ownJobs.follow(), writer.ownCronJobs.follow()],
    watch: (queue) => {
      const enqueue = (cronJob: CronJob) => queue.add(objectKey(cronJob));
      const ofJob = (job: Job) => {
        const owner = controllerOf(job);
        if (owner?.kind === "CronJob") queue.add(keyOf(job.metadata.namespace, owner.name));
      };
      return [
        cronJobInformer.addHandlers({ added: enqueue, updated: enqueue }),
        jobInformer.addHandlers({ added: ofJob, updated: ofJob, deleted: ofJob }),
      ];
    },
    reconcile,
  });
}
