/** Writes the status of a PodDisruptionBudget. */
import { podDisruptionBudgets } from "../../api/resources.ts";
import type { PodDisruptionBudget } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import type { EventRecorder } from "../../client/event-recorder.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import type { BudgetPlan } from "./reconcile.ts";

/** With the version that was read: an eviction that was granted in between must not be forgotten. */
export async function writeBudget(client: Client, recorder: EventRecorder, budget: PodDisruptionBudget, plan: BudgetPlan): Promise<void> {
  if (plan.event !== undefined) recorder.event(budget, plan.event.type, plan.event.reason, plan.event.message);
  if (!semanticEqual(budget.status, plan.status)) await client.updateStatus(podDisruptionBudgets, { ...budget, status: plan.status });
}
