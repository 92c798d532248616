/**
 * A CustomResourceDefinition that is deleted takes its objects along: they go first, then its finalizer
 * (apiextensions-apiserver `pkg/controller/finalizer`).
 */
import { cleanupFinalizer } from "../api/kinds/custom-resource-definitions.ts";
import { draft, splitKey, type KubeObject } from "../api/object.ts";
import { isConflict, isNotFound } from "../api/status.ts";
import type { CustomResourceDefinition } from "../api/types.ts";
import type { Clock } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Registry, WriteContext } from "./registry/registry.ts";
import type { ServedKinds } from "./served-kinds.ts";

export interface CleanupOptions {
  readonly definitions: Registry;
  readonly served: ServedKinds;
  readonly clock: Clock;
  readonly log: Logger;
}

const context: WriteContext = {
  user: { name: "system:apiserver", groups: ["system:masters"] },
  dryRun: false,
  manager: "kube-apiserver",
  warn: () => undefined,
};
/** Milliseconds until objects with finalizers of their own are looked at again. */
const patience = 500;

/** Runs until `close` is called. */
export function startCleanup(options: CleanupOptions): { close(): void } {
  const { definitions, log } = options;
  const watch = definitions.store.watch({ sendInitial: true });
  let closed = false;
  const follow = async (): Promise<void> => {
    for await (const event of watch) {
      if (event.type !== "ADDED" && event.type !== "MODIFIED") continue;
      await cleanUp(event.object() as CustomResourceDefinition, options, () => closed);
    }
  };
  follow().catch((error: unknown) => log.error("the clean-up of custom resources has ended", { error: errorMessage(error) }));
  return {
    close: () => {
      closed = true;
      watch.close();
    },
  };
}

async function cleanUp(definition: CustomResourceDefinition, options: CleanupOptions, closed: () => boolean): Promise<void> {
  const { metadata, spec } = definition;
  if (metadata.deletionTimestamp === undefined || metadata.finalizers?.includes(cleanupFinalizer) !== true) return;
  const version = spec.versions.find(({ served }) => served)?.name ?? "";
  const registry = options.served.registryOf(spec.group, version, spec.names.plural);
  if (registry !== undefined) await removeAll(registry);
  if (closed()) return;
  if ((registry?.store.count ?? 0) > 0) {
    // Somebody else holds them; the watch goes on meanwhile.
    options.clock.after(patience, () => void cleanUp(definition, options, closed).catch(() => undefined));
    return;
  }
  await release(metadata.name ?? "", options);
}

async function removeAll(registry: Registry): Promise<void> {
  for (const { key } of registry.store.items()) {
    const { namespace, name } = splitKey(key);
    try {
      await registry.delete(namespace, name, {}, context);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

async function release(name: string, { definitions }: CleanupOptions): Promise<void> {
  const change = (current: KubeObject) => {
    const next = draft(current);
    next.metadata.finalizers = (current.metadata.finalizers ?? []).filter((finalizer) => finalizer !== cleanupFinalizer);
    return { object: next };
  };
  try {
    await definitions.update(undefined, name, { subresource: "finalize" }, change, context);
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
