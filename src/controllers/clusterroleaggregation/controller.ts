/** Keeps aggregated ClusterRoles up to date. */
import { clusterRoles } from "../../api/resources.ts";
import type { Component } from "../../component/component.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController } from "../key-controller.ts";
import { writeRules } from "./finalize.ts";
import { aggregatedRules } from "./reconcile.ts";

export const clusterRoleAggregationController: ControllerEntry = { name: "clusterroleaggregation", create };

function create(context: ControllerContext): Component {
  const roles = context.informers.informer(clusterRoles);
  return createKeyController({
    name: "clusterroleaggregation",
    context,
    informers: [roles],
    watch: (queue) => {
      /** Any role may be a part of any other. */
      const aggregated = () => {
        for (const { metadata, aggregationRule } of roles.lister.list()) if (aggregationRule !== undefined) queue.add(metadata.name ?? "");
      };
      return [roles.addHandlers({ added: aggregated, updated: aggregated, deleted: aggregated })];
    },
    reconcile: async (name) => {
      const role = roles.lister.get(undefined, name);
      if (role === undefined || role.metadata.deletionTimestamp !== undefined) return;
      const rules = aggregatedRules(role, roles.lister.list());
      if (rules !== undefined) await writeRules(context.client, role, rules);
    },
  });
}
