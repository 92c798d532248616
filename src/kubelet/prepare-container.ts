/** Gathers all that one container needs to start. Expected failures are values: the reason its status shows. */
import type { Container, Pod } from "../api/types.ts";
import type { ContainerExit } from "./container-record.ts";
import { containerEnvironment, expandAll, type PodSources } from "./environment.ts";
import type { PodFacts } from "./pod-fields.ts";
import type { ContainerSpec, ImageAbsent, PodIdentity, ProcessExit, PullAnswer } from "./runtime/runtime.ts";
import { podHostname } from "./pod-names.ts";
import { serviceVariables } from "./service-variables.ts";
import type { PodVolumes } from "./volumes/pod-volumes.ts";
import type { WorkerContext } from "./worker-context.ts";

export interface PrepareInput {
  readonly context: WorkerContext;
  readonly pod: Pod;
  readonly identity: PodIdentity;
  readonly container: Container;
  readonly facts: PodFacts;
  readonly sources: PodSources;
  readonly volumes: PodVolumes;
  /** What came of pulling its image, just now. */
  readonly pulled?: PullAnswer | undefined;
}

export type Prepared =
  | {
      readonly kind: "ready";
      readonly imageID: string;
      readonly imageNote?: string;
      readonly skipped: readonly string[];
      readonly parts: Omit<ContainerSpec, "output" | "instance">;
    }
  | { readonly kind: "no-image"; readonly absent: ImageAbsent }
  /** Not before its image is pulled. */
  | { readonly kind: "pull" }
  | { readonly kind: "config-error"; readonly message: string };

export async function prepareContainer(input: PrepareInput): Promise<Prepared> {
  const { context, pod, identity, container } = input;
  const image = input.pulled ?? context.runtime.image(container);
  if (image.kind === "pull") return image;
  if (image.kind === "absent") return { kind: "no-image", absent: image };
  const refusal = context.runtime.refusal?.(pod, container);
  if (refusal !== undefined) return { kind: "config-error", message: refusal };
  const environment = containerEnvironment({
    pod,
    container,
    facts: input.facts,
    sources: input.sources,
    services: serviceVariables(pod, await context.sources.services()),
    base: {
      ...context.runtime.baseEnvironment(identity, container, pod),
      HOSTNAME: podHostname(pod, context.clusterDomain),
      ...context.podEnvironment(pod, identity.ip),
    },
  });
  if (environment.kind === "error") return { kind: "config-error", message: environment.message };
  const mounts = await input.volumes.mounts(container, environment.env);
  if (mounts.kind === "error") return { kind: "config-error", message: mounts.message };
  return {
    kind: "ready",
    imageID: image.imageID,
    ...("note" in image && image.note !== undefined ? { imageNote: image.note } : {}),
    skipped: environment.skipped,
    parts: {
      pod: identity,
      object: pod,
      container,
      command: expandAll(container.command, environment.env),
      args: expandAll(container.args, environment.env),
      env: environment.env,
      mounts: mounts.mounts,
    },
  };
}

const fallbackBytes = 2048;

/** How an instance that ran ended, as its status shows it. */
export function exitRecord(
  container: Container,
  id: string,
  startedAt: number,
  exit: ProcessExit,
  errorTail: string,
  now: number,
): ContainerExit {
  const fallback =
    container.terminationMessagePolicy === "FallbackToLogsOnError" && exit.exitCode !== 0 ? errorTail.slice(-fallbackBytes) : "";
  const message = exit.message ?? fallback;
  return {
    id,
    exitCode: exit.exitCode,
    reason: exit.outOfMemory === true ? "OOMKilled" : exit.exitCode === 0 ? "Completed" : "Error",
    ...(message === "" ? {} : { message }),
    startedAt,
    finishedAt: now,
  };
}
