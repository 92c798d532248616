import { decodeObject } from "../../api/decode.ts";
import type { Draft, KubeObject } from "../../api/object.ts";
import type { ApiResponse } from "../../api/request.ts";
import { badRequestError, methodNotAllowedError } from "../../api/status.ts";
import { readBody } from "../encode/body.ts";
import { respondObject } from "../encode/respond.ts";
import { writeQuery, type WriteQuery } from "../query.ts";
import type { Registry, WriteContext } from "../registry/registry.ts";
import { userAgentOf, viewOf, Warnings, type VerbCall } from "./call.ts";

/** POST to a collection. */
export async function create(call: VerbCall): Promise<ApiResponse> {
  const { request, info, registry } = call;
  const { resource } = registry.kind;
  if (info.name !== undefined || (resource.namespaced && info.namespace === undefined)) throw methodNotAllowedError(resource, "create");
  const view = viewOf(call);
  const options = writeQuery(request.query, userAgentOf(call), "CreateOptions");
  const warnings = new Warnings();
  const object = decoded(registry, await readBody(request, resource.kind), options, warnings);
  checkNamespace(object, info.namespace, "the namespace of the provided object does not match the namespace sent on the request");
  const written = await registry.create(info.namespace, { object }, writeContext(call, options, warnings));
  const response = await respondObject(201, written, view);
  return { ...response, headers: { ...response.headers, ...warnings.headers() } };
}

/** Decodes a body as the registry's kind; what the schema does not know becomes warnings or, if so asked, an error. */
export function decoded(
  registry: Registry,
  raw: unknown,
  { fieldValidation }: Pick<WriteQuery, "fieldValidation">,
  warnings: Warnings,
): Draft<KubeObject> {
  const { object, warnings: texts } = decodeObject(registry.kind, raw, fieldValidation);
  texts.forEach(warnings.add);
  return object;
}

export function writeContext({ request }: VerbCall, options: WriteQuery, warnings: Warnings): WriteContext {
  return { user: request.user, dryRun: options.dryRun, manager: options.fieldManager, warn: warnings.add };
}

/** An object may leave its namespace out, and not contradict the path. */
export function checkNamespace({ metadata }: Draft<KubeObject>, namespace: string | undefined, message: string): void {
  const own = metadata.namespace ?? "";
  if (own !== "" && namespace !== undefined && own !== namespace) throw badRequestError(message);
}
