import { keyOf } from "../../api/object.ts";
import type { ApiResponse } from "../../api/request.ts";
import { badRequestError } from "../../api/status.ts";
import { respondList } from "../encode/respond.ts";
import { listQuery, type ListQuery } from "../query.ts";
import { selection } from "../registry/selection.ts";
import type { StoreList, StoreListOptions } from "../store.ts";
import { viewOf, type VerbCall } from "./call.ts";

/** GET of a collection. */
export async function list(call: VerbCall): Promise<ApiResponse> {
  const view = viewOf(call);
  return respondList(await listed(call), view);
}

/** What the query selects, of one revision; DELETE of a collection begins with the same. */
export async function listed({ request, info, registry }: VerbCall): Promise<StoreList> {
  const options = listQuery(request.query, false);
  const { match, name } = selection(registry.kind, options.labelSelector, options.fieldSelector);
  const scope: StoreListOptions = {
    namespace: info.namespace,
    // Any state will do: what is at hand, all of it, as upstream's watch cache answers.
    limit: options.resourceVersion === "0" ? 0 : options.limit,
    continue: options.continue === "" ? undefined : options.continue,
    match,
    ...revisionWanted(options),
  };
  const unique = name !== undefined && name !== "" && (!registry.kind.resource.namespaced || info.namespace !== undefined);
  if (!unique || scope.continue !== undefined || scope.exactRevision !== undefined) return registry.store.list(scope);
  // A list by name needs no look at the others.
  const { revision } = await registry.store.list({ ...scope, limit: 1, match: undefined });
  const found = registry.store.get(keyOf(info.namespace, name));
  return { revision, items: found !== undefined && match?.(found.object()) !== false ? [found] : [] };
}

/** Any state, the newest, one not older than, or exactly one (docs "resource versions", `get` and `list`). */
function revisionWanted({
  resourceVersion,
  resourceVersionMatch,
  limit,
  continue: token,
}: ListQuery): Pick<StoreListOptions, "exactRevision" | "minimumRevision"> {
  if (resourceVersion === "") return {};
  const revision = parseRevision(resourceVersion);
  if (token !== "") {
    if (revision > 0) throw badRequestError("specifying resource version is not allowed when using continue");
    return {};
  }
  if (revision === 0) return {};
  const exact = resourceVersionMatch === "Exact" || (resourceVersionMatch === "" && limit > 0);
  return exact ? { exactRevision: revision } : { minimumRevision: revision };
}

/** A resourceVersion that a client names. Throws 400. */
export function parseRevision(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const shown = JSON.stringify(text);
  throw badRequestError(
    `invalid resource version: resourceVersion: Invalid value: ${shown}: strconv.ParseUint: parsing ${shown}: invalid syntax`,
  );
}
