/** ControllerRevisions (apps/v1): the templates that a StatefulSet or DaemonSet had. */
import { controllerRevisions } from "../resources.ts";
import type { ControllerRevision } from "../types.ts";
import { validateControllerRevision } from "../validation/stateful-set.ts";
import { ageColumn, defineKind, integer, nameColumn, text } from "./define.ts";

/** `statefulset.apps/web` */
function controllerText({ metadata }: ControllerRevision): string {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return "<none>";
  const group = owner.apiVersion.includes("/") ? `.${owner.apiVersion.split("/")[0]}` : "";
  return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
}

export const controllerRevisionKind = defineKind<ControllerRevision>({
  resource: controllerRevisions,
  definition: "ControllerRevision",
  singular: "controllerrevision",
  shortNames: [],
  categories: [],
  subresources: [],
  nameRule: "dns1123Subdomain",
  validate: validateControllerRevision,
  columns: [
    nameColumn,
    text("Controller", "Whose revision it is.", controllerText),
    integer("Revision", "Its number; the highest is the newest.", ({ revision }) => revision),
    ageColumn,
  ],
});
