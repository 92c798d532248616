import { invalid } from "../../api/field-error.ts";
import type { KindSpec } from "../../api/kind.ts";
import type { Draft, KubeObject } from "../../api/object.ts";
import type { ApiResponse } from "../../api/request.ts";
import { badRequestError, invalidError, isAlreadyExists, isNotFound } from "../../api/status.ts";
import { readBody } from "../encode/body.ts";
import { respondObject } from "../encode/respond.ts";
import { writeQuery } from "../query.ts";
import type { Change, UpdateScope, WriteContext } from "../registry/registry.ts";
import { authorizeCreate, nameOf, userAgentOf, viewOf, Warnings, type VerbCall } from "./call.ts";
import { checkNamespace, decoded, writeContext } from "./create.ts";

/** PUT of an object, or of its status. Without a resourceVersion the last writer wins. */
export async function update(call: VerbCall, scope: UpdateScope = "main"): Promise<ApiResponse> {
  const { request, info, registry } = call;
  const view = viewOf(call);
  const options = writeQuery(request.query, userAgentOf(call), "UpdateOptions");
  const warnings = new Warnings();
  const name = nameOf(call);
  const object = decoded(registry, await readBody(request, registry.kind.resource.kind), options, warnings);
  checkName(object, name, info.namespace);
  if (registry.kind.conditionalUpdate === true) requireVersion(registry.kind, object);
  const context = writeContext(call, options, warnings);
  const change = () => ({ object: structuredClone(object) });
  const { status, written } = await changed(call, scope, change, context);
  const response = await respondObject(status, written, view);
  return { ...response, headers: { ...response.headers, ...warnings.headers() } };
}

/** Of these the last writer never wins unseen (`AllowUnconditionalUpdate`). */
function requireVersion({ resource }: KindSpec, { metadata }: Draft<KubeObject>): void {
  if ((metadata.resourceVersion ?? "") !== "") return;
  throw invalidError({ ...resource, kind: resource.plural }, metadata.name ?? "", [
    invalid("metadata.resourceVersion", 0, "must be specified for an update"),
  ]);
}

/** Of kinds that upstream lets be created by PUT, what is not there is created (`AllowCreateOnUpdate`). */
async function changed(call: VerbCall, scope: UpdateScope, change: () => Change, context: WriteContext) {
  const { info, registry } = call;
  const name = nameOf(call);
  try {
    return { status: 200, written: await registry.update(info.namespace, name, scope, change, context) };
  } catch (error) {
    if (registry.kind.createOnUpdate !== true || scope !== "main" || !isNotFound(error)) throw error;
  }
  authorizeCreate(call);
  try {
    return { status: 201, written: await registry.create(info.namespace, change(), context) };
  } catch (error) {
    // Somebody created it in between.
    if (!isAlreadyExists(error)) throw error;
    return { status: 200, written: await registry.update(info.namespace, name, scope, change, context) };
  }
}

/** The body must be of the object that the path names. Fills in the namespace. */
export function checkName(object: Draft<KubeObject>, name: string, namespace: string | undefined): void {
  const own = object.metadata.name ?? "";
  if (own === "") throw badRequestError(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  if (own !== name) throw badRequestError(`the name of the object (${own}) does not match the name on the URL (${name})`);
  const place = object.metadata.namespace ?? "";
  const clash = `the namespace of the object (${place}) does not match the namespace on the request (${namespace})`;
  checkNamespace(object, namespace, clash);
  if (namespace !== undefined) object.metadata.namespace = namespace;
}
