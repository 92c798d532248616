import { decodeObject } from "../../api/decode.ts";
import { draft, type Draft, type KubeObject } from "../../api/object.ts";
import { applyConflictError, applyPatch, serverSideApply, type ObjectPatchType } from "../../api/patch/index.ts";
import type { ApiRequest, ApiResponse } from "../../api/request.ts";
import { apiVersionOf } from "../../api/resources.ts";
import { badRequestError, isAlreadyExists, isNotFound, unsupportedMediaTypeError, type StatusError } from "../../api/status.ts";
import { rfc3339 } from "../../lib/clock.ts";
import { mediaType, readJson, readYaml } from "../encode/body.ts";
import { respondObject } from "../encode/respond.ts";
import { writeQuery, type WriteQuery } from "../query.ts";
import type { Change, Registry, UpdateScope, WriteContext, Written } from "../registry/registry.ts";
import { authorizeCreate, nameOf, userAgentOf, viewOf, Warnings, type VerbCall } from "./call.ts";
import { decoded, writeContext } from "./create.ts";
import { checkName } from "./update.ts";

const objectPatches = ["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"] as const;
const applyType = "application/apply-patch+yaml";

export type Patch =
  | { readonly kind: "apply"; readonly applied: unknown }
  | { readonly kind: "patch"; readonly type: ObjectPatchType; readonly patch: unknown };

/** The patch in a request's body. Throws 415 and 400. */
export async function readPatch(request: ApiRequest, expected: string, custom = false): Promise<Patch> {
  const type = mediaType(request);
  if (type === applyType)
    return { kind: "apply", applied: request.body instanceof Uint8Array ? await readYaml(request.body, expected) : request.body };
  // Without Go types upstream has no merge keys for custom resources, and clients know: kubectl falls back to a merge patch.
  const types = custom ? objectPatches.filter((one) => one !== "application/strategic-merge-patch+json") : objectPatches;
  const known = types.find((one) => one === type);
  if (known !== undefined) return { kind: "patch", type: known, patch: readJson(request, expected) };
  const accepted = [...types, applyType].join(", ");
  throw unsupportedMediaTypeError(`the body of the request was in an unknown format - accepted media types include: ${accepted}`);
}

/** PATCH of an object, or of its status. */
export async function patch(call: VerbCall, scope: UpdateScope = "main"): Promise<ApiResponse> {
  const { request, registry } = call;
  const view = viewOf(call);
  const body = await readPatch(request, registry.kind.resource.kind, registry.kind.custom === true);
  const options = writeQuery(request.query, userAgentOf(call), "PatchOptions", body.kind === "apply");
  const warnings = new Warnings();
  const context = writeContext(call, options, warnings);
  const outcome =
    body.kind === "apply"
      ? await applyTo(call, body.applied, scope, options, context)
      : { status: 200, written: await patched(call, body, scope, options, warnings, context) };
  const response = await respondObject(outcome.status, outcome.written, view);
  return { ...response, headers: { ...response.headers, ...warnings.headers() } };
}

async function patched(
  call: VerbCall,
  { type, patch: change }: Extract<Patch, { kind: "patch" }>,
  scope: UpdateScope,
  options: WriteQuery,
  warnings: Warnings,
  context: WriteContext,
): Promise<Written> {
  const { registry, info } = call;
  const changed = (current: KubeObject): Change => {
    const result = applyPatch(current, change, type, registry.kind.definition);
    return { object: decoded(registry, result, options, warnings) };
  };
  return registry.update(info.namespace, nameOf(call), scope, changed, context);
}

interface Applied {
  readonly status: number;
  readonly written: Written;
}

/** Server-side apply: creates what is not there. */
async function applyTo(call: VerbCall, raw: unknown, scope: UpdateScope, options: WriteQuery, context: WriteContext): Promise<Applied> {
  const { registry, info } = call;
  const name = nameOf(call);
  checkType(registry, raw);
  const { object, warnings: unknown } = decodeObject(registry.kind, raw, "Warn");
  if (unknown.length > 0) throw untypedError(registry, name, info.namespace, unknown);
  if (object.metadata.managedFields !== undefined) throw badRequestError("metadata.managedFields must be nil");
  object.metadata.name ??= name;
  checkName(object, name, info.namespace);
  const applied = ownPart(object, registry, scope);
  const subresource = scope === "main" ? undefined : scope === "status" ? "status" : scope.subresource;
  const change = (live: KubeObject | undefined): Change => applyOnto(live, applied, call, options, subresource);
  return createOrUpdate(call, scope, change, context);
}

/** What server-side apply makes of the live object. Throws 409 for what belongs to others. */
export function applyOnto(
  live: KubeObject | undefined,
  applied: KubeObject,
  { registry, clock }: Pick<VerbCall, "registry" | "clock">,
  { fieldManager: manager, force }: Pick<WriteQuery, "fieldManager" | "force">,
  subresource: string | undefined,
): Change {
  const { definition, resource } = registry.kind;
  const apiVersion = apiVersionOf(resource);
  const result = serverSideApply({ live, applied, manager, force, subresource, apiVersion, definition, time: rfc3339(clock.now()) });
  if (result.conflicts.length > 0) throw applyConflictError(result.conflicts);
  return { object: draft(result.object), applied: true };
}

/** An apply says what it is of. */
function checkType({ kind: { resource } }: Registry, raw: unknown): void {
  const { apiVersion = "", kind = "" } = (typeof raw === "object" && raw !== null ? raw : {}) as { apiVersion?: unknown; kind?: unknown };
  if (kind === resource.kind && apiVersion !== "") return;
  const version = String(apiVersion);
  throw badRequestError(`invalid object type: ${version.includes("/") ? version : `/${version}`}, Kind=${String(kind)}`);
}

/**
 * Whoever applies owns each field that it names, and nobody can own one that there is not: upstream refuses these whatever
 * `fieldValidation` says, in the words of its merge library (structured-merge-diff
 * typed/validate.go); with 500, where the fault is the client's.
 */
function untypedError({ kind }: Registry, name: string, namespace: string | undefined, unknown: readonly string[]): StatusError {
  const faults = unknown.map((text) => `.${/"(.*)"$/.exec(text)?.[1] ?? ""}: field not declared in schema`);
  const object = `(${namespace ?? ""}/${name}; ${apiVersionOf(kind.resource)}, Kind=${kind.resource.kind})`;
  const all = faults.length === 1 ? faults[0] : `errors:${faults.map((fault) => `\n  ${fault}`).join("")}`;
  return badRequestError(`failed to create typed patch object ${object}: ${all}`);
}

/** Of what is applied, the part that this (sub)resource has. */
function ownPart(object: Draft<KubeObject>, registry: Registry, scope: UpdateScope): KubeObject {
  const { status, ...main } = object as KubeObject & { status?: unknown };
  if (scope === "status") {
    const { apiVersion, kind, metadata } = object as KubeObject;
    return { apiVersion, kind, metadata, ...(status === undefined ? {} : { status }) } as KubeObject;
  }
  return registry.kind.subresources.includes("status") ? main : (object as KubeObject);
}

async function createOrUpdate(
  call: VerbCall,
  scope: UpdateScope,
  change: (live: KubeObject | undefined) => Change,
  context: WriteContext,
): Promise<Applied> {
  const { registry, info } = call;
  const [namespace, name] = [info.namespace, nameOf(call)];
  try {
    return { status: 200, written: await registry.update(namespace, name, scope, change, context) };
  } catch (error) {
    if (scope !== "main" || !isNotFound(error)) throw error;
  }
  authorizeCreate(call);
  try {
    return { status: 201, written: await registry.create(namespace, change(undefined), context) };
  } catch (error) {
    // Somebody created it in between.
    if (!isAlreadyExists(error)) throw error;
    return { status: 200, written: await registry.update(namespace, name, scope, change, context) };
  }
}
