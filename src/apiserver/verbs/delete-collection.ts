import type { ApiResponse } from "../../api/request.ts";
import { isNotFound } from "../../api/status.ts";
import { respondList } from "../encode/respond.ts";
import { splitKey } from "../../api/object.ts";
import { viewOf, type VerbCall } from "./call.ts";
import { deleteContext, deleteOptions } from "./delete.ts";
import { listed } from "./list.ts";

/** DELETE of a collection: each object that the query selects, one after the other; answers the list of them. */
export async function deleteCollection(call: VerbCall): Promise<ApiResponse> {
  const { registry, request } = call;
  const view = viewOf(call);
  const options = await deleteOptions(request);
  const list = await listed(call);
  for (const { key } of list.items) {
    const { namespace, name } = splitKey(key);
    try {
      await registry.delete(namespace, name, options, deleteContext(request, options));
    } catch (error) {
      // Somebody else was quicker: it is gone, as was asked for.
      if (!isNotFound(error)) throw error;
    }
  }
  return respondList(list, view);
}
