/** Columns of kinds that make pods from a template. */
import type { Column } from "../kind.ts";
import type { KubeObject } from "../object.ts";
import type { Container, PodTemplateSpec } from "../types.ts";
import { text, wide } from "./define.ts";

export function templateColumns<T extends KubeObject>(template: (object: T) => PodTemplateSpec | undefined): Column<T>[] {
  const each = (field: (container: Container) => string | undefined) => (object: T) =>
    (template(object)?.spec?.containers ?? []).map((container) => field(container) ?? "").join(",");
  return [
    wide(
      text<T>(
        "Containers",
        "Names of the template's containers.",
        each(({ name }) => name),
      ),
    ),
    wide(
      text<T>(
        "Images",
        "Their images.",
        each(({ image }) => image),
      ),
    ),
  ];
}
