/** `pods/eviction`: a deletion that disruption budgets may forbid (`pkg/registry/core/pod/storage/eviction.go`). */
import { decodeType } from "../../api/decode.ts";
import { keyOf, type Draft, type KubeObject } from "../../api/object.ts";
import type { ApiResponse } from "../../api/request.ts";
import { podDisruptionBudgets } from "../../api/resources.ts";
import { matchesLabels, selectorOf } from "../../api/selectors.ts";
import { internalError, methodNotAllowedError, StatusError, tooManyRequestsError } from "../../api/status.ts";
import type { Eviction, Pod, PodDisruptionBudget } from "../../api/types.ts";
import { rfc3339, type Clock } from "../../lib/clock.ts";
import { readBody } from "../encode/body.ts";
import { respond } from "../encode/respond.ts";
import type { Store } from "../store.ts";
import { nameOf, type VerbCall } from "../verbs/call.ts";
import { deleteContext } from "../verbs/delete.ts";
import { checkName } from "../verbs/update.ts";

/** More budgets changing at once than this means that something writes without end. */
const maxTries = 20;
/** Whoever must wait for a budget asks again after so many seconds. */
const retrySeconds = 10;

export async function eviction(call: VerbCall, store: Pick<Store, "resource">): Promise<ApiResponse> {
  const { registry, request, info, clock } = call;
  if (info.verb !== "create") throw methodNotAllowedError(registry.kind.resource, info.verb);
  const name = nameOf(call);
  const body = decodeType<Draft<Eviction>>("Eviction", await readBody(request, "Eviction"));
  body.metadata ??= {};
  body.metadata.name ??= name;
  checkName(body as Draft<KubeObject>, name, info.namespace);
  const options = (body as Eviction).deleteOptions ?? {};
  const pod = registry.get(info.namespace, name).object() as Pod;
  if (!isFree(pod) && (options.dryRun?.length ?? 0) === 0) await takeFromBudget(pod, store, clock);
  await registry.delete(info.namespace, name, options, deleteContext(request, options));
  return respond(201, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 });
}

/** A pod that has ended, has not begun, or goes already disrupts nobody. */
function isFree({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined || ["Succeeded", "Failed", "Pending"].includes(status?.phase ?? "");
}

/** Counts one disruption against the pod's budget. Throws 429 when none is left, 500 when the pod has several budgets. */
async function takeFromBudget(pod: Pod, store: Pick<Store, "resource">, clock: Clock): Promise<void> {
  const budgets = store.resource(podDisruptionBudgets);
  const { namespace, name = "" } = pod.metadata;
  for (let tries = 0; tries < maxTries; tries++) {
    const own = budgets.items(namespace).filter((item) => covers(item.object() as PodDisruptionBudget, pod));
    if (own.length > 1)
      throw internalError("This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
    const [item] = own;
    if (item === undefined) return;
    const budget = item.object() as PodDisruptionBudget;
    if (mayGoUnready(budget, pod)) return;
    const next = disrupted(budget, name, rfc3339(clock.now()));
    const result = await budgets.write(keyOf(namespace, budget.metadata.name ?? ""), next, item.revision);
    if (result.kind === "ok") return;
  }
  throw tooManyRequestsError("too many changes of the disruption budget at once, please try again later", retrySeconds);
}

function covers({ spec }: PodDisruptionBudget, { metadata }: Pod): boolean {
  return spec?.selector !== undefined && matchesLabels(selectorOf(spec.selector), metadata.labels ?? {});
}

/** A pod that is not ready keeps nothing up: it may go where the budget says so, or where enough others are healthy. */
function mayGoUnready({ spec, status }: PodDisruptionBudget, pod: Pod): boolean {
  const ready = pod.status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;
  if (ready) return false;
  if (spec?.unhealthyPodEvictionPolicy === "AlwaysAllow") return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
  return currentHealthy >= desiredHealthy && desiredHealthy > 0;
}

function disrupted(budget: PodDisruptionBudget, pod: string, time: string): PodDisruptionBudget {
  const { metadata, status } = budget;
  const allowed = status?.disruptionsAllowed ?? 0;
  const stale = (status?.observedGeneration ?? 0) < (metadata.generation ?? 0);
  if (allowed > 0 && !stale)
    return {
      ...budget,
      status: {
        currentHealthy: 0,
        desiredHealthy: 0,
        expectedPods: 0,
        ...status,
        disruptionsAllowed: allowed - 1,
        disruptedPods: { ...status?.disruptedPods, [pod]: time },
      },
    };
  const { status: refusal } = tooManyRequestsError("Cannot evict pod as it would violate the pod's disruption budget.", retrySeconds);
  const message = stale
    ? `The disruption budget ${metadata.name} is still being processed by the server.`
    : `The disruption budget ${metadata.name} needs ${status?.desiredHealthy ?? 0} healthy pods and has ${status?.currentHealthy ?? 0} currently`;
  throw new StatusError({ ...refusal, details: { ...refusal.details, causes: [{ reason: "DisruptionBudget", message }] } });
}
