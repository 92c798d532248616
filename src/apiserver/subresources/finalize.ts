/** `namespaces/finalize`: the namespace controller says that the content is gone, and with it the namespace may go. */
import { draft, type Draft, type KubeObject } from "../../api/object.ts";
import type { ApiResponse } from "../../api/request.ts";
import { invalidError, methodNotAllowedError } from "../../api/status.ts";
import type { Namespace } from "../../api/types.ts";
import { validateFinalizer } from "../../api/validation/metadata.ts";
import { readBody } from "../encode/body.ts";
import { respondObject } from "../encode/respond.ts";
import { writeQuery } from "../query.ts";
import { nameOf, userAgentOf, viewOf, Warnings, type VerbCall } from "../verbs/call.ts";
import { decoded, writeContext } from "../verbs/create.ts";
import { checkName } from "../verbs/update.ts";

export async function finalize(call: VerbCall): Promise<ApiResponse> {
  const { registry, request, info } = call;
  // Upstream answers PUT alone; POST is what clients that know no other subresource verb send.
  if (info.verb !== "update" && info.verb !== "create") throw methodNotAllowedError(registry.kind.resource, info.verb);
  const view = viewOf(call);
  const name = nameOf(call);
  const options = writeQuery(request.query, userAgentOf(call), "UpdateOptions");
  const warnings = new Warnings();
  const body = decoded(registry, await readBody(request, "Namespace"), options, warnings) as Draft<Namespace>;
  checkName(body as Draft<KubeObject>, name, undefined);
  const finalizers = body.spec?.finalizers ?? [];
  const errors = finalizers.flatMap((finalizer) => validateFinalizer(finalizer, "spec.finalizers"));
  if (errors.length > 0) throw invalidError(registry.kind.resource, name, errors);
  const change = (current: KubeObject) => ({ object: finalized(current as Namespace, finalizers, body.metadata.resourceVersion) });
  const written = await registry.update(undefined, name, { subresource: "finalize" }, change, writeContext(call, options, warnings));
  return respondObject(200, written, view);
}

function finalized(current: Namespace, finalizers: readonly string[], resourceVersion: string | undefined): Draft<KubeObject> {
  const next: Draft<Namespace> = draft(current);
  next.spec = finalizers.length === 0 ? {} : { finalizers: [...finalizers] };
  if (resourceVersion === undefined) delete next.metadata.resourceVersion;
  else next.metadata.resourceVersion = resourceVersion;
  return next as Draft<KubeObject>;
}
