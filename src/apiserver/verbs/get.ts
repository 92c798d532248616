import type { ApiResponse } from "../../api/request.ts";
import { respondObject } from "../encode/respond.ts";
import { nameOf, viewOf, type VerbCall } from "./call.ts";

/** GET of one object. Reads are always of the newest state, whatever resourceVersion is asked for. */
export async function get(call: VerbCall): Promise<ApiResponse> {
  return respondObject(200, call.registry.get(call.info.namespace, nameOf(call)), viewOf(call));
}
