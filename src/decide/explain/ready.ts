/** Whether a Service has anything behind it, by its slices. */
import type { Service } from "../../api/types.ts";
import type { World } from "./world.ts";

export function serviceReady(world: World, { metadata }: Service): boolean {
  return world
    .slicesOf(metadata.namespace ?? "", metadata.name ?? "")
    .some(({ endpoints = [] }) => endpoints.some(({ conditions }) => conditions?.ready !== false));
}
