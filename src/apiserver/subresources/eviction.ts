/** `pods/eviction`: a deletion that disruption budgets may forbid. There are no budgets yet, so nothing does. */
import { decodeType } from "../../api/decode.ts";
import type { Draft, KubeObject } from "../../api/object.ts";
import type { ApiResponse } from "../../api/request.ts";
import { methodNotAllowedError } from "../../api/status.ts";
import type { Eviction } from "../../api/types.ts";
import { readBody } from "../encode/body.ts";
import { respond } from "../encode/respond.ts";
import { nameOf, type VerbCall } from "../verbs/call.ts";
import { deleteContext } from "../verbs/delete.ts";
import { checkName } from "../verbs/update.ts";

export async function eviction(call: VerbCall): Promise<ApiResponse> {
  const { registry, request, info } = call;
  if (info.verb !== "create") throw methodNotAllowedError(registry.kind.resource, info.verb);
  const name = nameOf(call);
  const body = decodeType<Draft<Eviction>>("Eviction", await readBody(request, "Eviction"));
  body.metadata ??= {};
  body.metadata.name ??= name;
  checkName(body as Draft<KubeObject>, name, info.namespace);
  const options = (body as Eviction).deleteOptions ?? {};
  await registry.delete(info.namespace, name, options, deleteContext(request, options));
  return respond(201, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 });
}
