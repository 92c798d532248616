import type { ApiResponse } from "../../api/request.ts";
import { respondObject } from "../encode/respond.ts";
import { nameOf, viewOf, type VerbCall } from "./call.ts";
import { parseRevision } from "./list.ts";

/** GET of one object: always of the newest state, which is not older than any resourceVersion that there is. */
export async function get(call: VerbCall): Promise<ApiResponse> {
  const { registry, info, request } = call;
  const wanted = request.query.get("resourceVersion") ?? "";
  // One that is yet to come is refused as for a list.
  if (wanted !== "") await registry.store.list({ limit: 1, minimumRevision: parseRevision(wanted) });
  return respondObject(200, registry.get(info.namespace, nameOf(call)), viewOf(call));
}
