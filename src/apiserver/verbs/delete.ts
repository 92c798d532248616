import { decodeType } from "../../api/decode.ts";
import { invalid, notSupported, type FieldError } from "../../api/field-error.ts";
import type { ApiRequest, ApiResponse } from "../../api/request.ts";
import { badRequestError, invalidError } from "../../api/status.ts";
import type { DeleteOptions, ObjectMeta, Status } from "../../api/types.ts";
import { hasBody, readBody } from "../encode/body.ts";
import { respond, respondObject } from "../encode/respond.ts";
import { dryRunErrors, integer } from "../query.ts";
import type { Registry, WriteContext } from "../registry/registry.ts";
import { isTrue } from "../request-info.ts";
import { nameOf, viewOf, type VerbCall } from "./call.ts";

/** Upstream answers a finished deletion of these with the object, of others with a Status. */
const answersObject: ReadonlySet<string> = new Set(["pods", "services", "serviceaccounts"]);

/** DELETE of one object. Options come in the body or, without one, in the query. */
export async function remove(call: VerbCall): Promise<ApiResponse> {
  const { info, registry, request } = call;
  const view = viewOf(call);
  const options = await deleteOptions(request);
  const { gone, object } = await registry.delete(info.namespace, nameOf(call), options, deleteContext(request, options));
  if (!gone || answersObject.has(registry.kind.resource.plural)) return respondObject(200, object, view);
  return respond(200, deletedStatus(registry, object.object().metadata), view.encoding);
}

export function deleteContext(request: ApiRequest, options: DeleteOptions): WriteContext {
  return { user: request.user, dryRun: (options.dryRun?.length ?? 0) > 0, manager: "", warn: () => undefined };
}

function deletedStatus({ kind: { resource } }: Registry, metadata: ObjectMeta): Status {
  const group = resource.group === "" ? {} : { group: resource.group };
  const uid = metadata.uid === undefined ? {} : { uid: metadata.uid };
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: { name: metadata.name ?? "", ...group, kind: resource.plural, ...uid },
  };
}

export async function deleteOptions(request: ApiRequest): Promise<DeleteOptions> {
  const options = hasBody(request) ? bodyOptions(await readBody(request, "DeleteOptions")) : queryOptions(request.query);
  const errors = optionErrors(options);
  if (errors.length > 0) throw invalidError({ group: "meta.k8s.io", plural: "deleteoptions", kind: "DeleteOptions" }, "", errors);
  return options;
}

function bodyOptions(raw: unknown): DeleteOptions {
  const kind = (raw as { readonly kind?: unknown } | null)?.kind;
  if (kind !== undefined && kind !== "" && kind !== "DeleteOptions")
    throw badRequestError(`expected DeleteOptions in the body of a deletion, got ${JSON.stringify(kind)}`);
  return decodeType<DeleteOptions>("DeleteOptions", raw);
}

function queryOptions(query: URLSearchParams): DeleteOptions {
  const gracePeriodSeconds = integer(query, "gracePeriodSeconds");
  const [propagationPolicy, orphan] = [query.get("propagationPolicy"), query.get("orphanDependents")];
  const dryRun = query.getAll("dryRun");
  return {
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(propagationPolicy === null ? {} : { propagationPolicy }),
    ...(orphan === null ? {} : { orphanDependents: isTrue(orphan) }),
    ...(dryRun.length === 0 ? {} : { dryRun }),
  };
}

const policies = ["Foreground", "Background", "Orphan"];

function optionErrors({ propagationPolicy, orphanDependents, dryRun }: DeleteOptions): FieldError[] {
  const errors = dryRunErrors(dryRun ?? []);
  if (propagationPolicy === undefined) return errors;
  if (orphanDependents !== undefined)
    errors.push(invalid("propagationPolicy", propagationPolicy, "orphanDependents and deletionPropagation cannot be both set"));
  if (!policies.includes(propagationPolicy))
    errors.push(notSupported("propagationPolicy", propagationPolicy, [...policies, "nil"], "as given"));
  return errors;
}
