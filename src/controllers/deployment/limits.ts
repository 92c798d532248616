/** How many pods too many or too few a rollout may have (upstream `deployment_util.go` `ResolveFenceposts`). */
import { scaledValue } from "../../api/int-or-string.ts";
import type { Deployment } from "../../api/types.ts";

export const desiredReplicas = (deployment: Deployment): number => deployment.spec?.replicas ?? 1;

export const isRollingUpdate = (deployment: Deployment): boolean =>
  (deployment.spec?.strategy?.type ?? "RollingUpdate") === "RollingUpdate";

/** Surge rounds up, unavailable rounds down; both zero would never move, so one pod may then be unavailable. */
function fenceposts(deployment: Deployment): { readonly surge: number; readonly unavailable: number } {
  const { maxSurge, maxUnavailable } = deployment.spec?.strategy?.rollingUpdate ?? {};
  const desired = desiredReplicas(deployment);
  const surge = scaledValue(maxSurge ?? 0, desired, true);
  const unavailable = scaledValue(maxUnavailable ?? 0, desired, false);
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

export const maxSurge = (deployment: Deployment): number => (isRollingUpdate(deployment) ? fenceposts(deployment).surge : 0);

export function maxUnavailable(deployment: Deployment): number {
  const desired = desiredReplicas(deployment);
  return !isRollingUpdate(deployment) || desired === 0 ? 0 : Math.min(desired, fenceposts(deployment).unavailable);
}

export const minAvailable = (deployment: Deployment): number =>
  isRollingUpdate(deployment) ? desiredReplicas(deployment) - maxUnavailable(deployment) : 0;
