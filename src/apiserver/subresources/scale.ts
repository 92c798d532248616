/** `scale` of whatever has replicas: how many replicas, as an `autoscaling/v1` Scale of its own. */
import { parseJsonPath, valuesAt } from "../../api/crd/json-path.ts";
import { decodeType } from "../../api/decode.ts";
import { invalid } from "../../api/field-error.ts";
import type { KindSpec } from "../../api/kind.ts";
import { draft, type Draft, type KubeObject } from "../../api/object.ts";
import { applyPatch } from "../../api/patch/index.ts";
import type { ApiResponse } from "../../api/request.ts";
import { apiVersionOf } from "../../api/resources.ts";
import { formatSelector, selectorOf, selectorOfMap, type Labels } from "../../api/selectors.ts";
import { badRequestError, invalidError, methodNotAllowedError } from "../../api/status.ts";
import type { Deployment, LabelSelector, ReplicaSet, ReplicationController, Scale, StatefulSet } from "../../api/types.ts";
import { readBody } from "../encode/body.ts";
import { respond } from "../encode/respond.ts";
import { representation } from "../encode/accept.ts";
import { writeQuery, type WriteQuery } from "../query.ts";
import type { Change } from "../registry/registry.ts";
import { nameOf, userAgentOf, Warnings, type VerbCall } from "../verbs/call.ts";
import { checkNamespace, writeContext } from "../verbs/create.ts";
import { applyOnto, readPatch } from "../verbs/patch.ts";

type Scalable = Deployment | ReplicaSet | StatefulSet | ReplicationController;

export async function scale(call: VerbCall): Promise<ApiResponse> {
  const { registry, info, request } = call;
  const { encoding } = representation(request.headers["accept"]);
  switch (info.verb) {
    case "get":
      return respond(200, scaleOf(registry.get(info.namespace, nameOf(call)).object(), registry.kind), encoding);
    case "update":
      return respond(200, await written(call, "UpdateOptions", await putChange(call)), encoding);
    case "patch":
      return respond(200, await patched(call), encoding);
    default:
      throw methodNotAllowedError(registry.kind.resource, info.verb);
  }
}

/** What becomes of the object. */
type Wanted = (current: KubeObject, options: WriteQuery) => Change;

async function written(call: VerbCall, optionsKind: string, wanted: Wanted, apply = false): Promise<Scale> {
  const { registry, info } = call;
  const options = writeQuery(call.request.query, userAgentOf(call), optionsKind, apply);
  const context = writeContext(call, options, new Warnings());
  const scope = { subresource: "scale", prepared: true } as const;
  const change = (current: KubeObject): Change => wanted(current, options);
  return scaleOf((await registry.update(info.namespace, nameOf(call), scope, change, context)).object(), registry.kind);
}

async function putChange(call: VerbCall): Promise<Wanted> {
  const name = nameOf(call);
  const next = decodeType<Scale>("Scale", await readBody(call.request, "Scale"));
  const own = next.metadata?.name ?? "";
  if (own !== name) throw badRequestError(`the name of the object (${own}) does not match the name on the URL (${name})`);
  return (current) => ({ object: scaled(current, next, call) });
}

async function patched(call: VerbCall): Promise<Scale> {
  const body = await readPatch(call.request, "Scale");
  if (body.kind === "apply") return written(call, "PatchOptions", applyChange(call, decodeType<Scale>("Scale", body.applied)), true);
  const { patch, type } = body;
  const change: Wanted = (current) => {
    const next = decodeType<Scale>("Scale", applyPatch(scaleOf(current, call.registry.kind), patch, type, "Scale"));
    return { object: scaled(current, next, call) };
  };
  return written(call, "PatchOptions", change);
}

/** Whoever applies a scale owns the number of replicas, by this subresource. */
function applyChange(call: VerbCall, { metadata, spec }: Scale): Wanted {
  const name = nameOf(call);
  const { kind, apiVersion } = { kind: call.registry.kind.resource.kind, apiVersion: apiVersionOf(call.registry.kind.resource) };
  if ((metadata?.name ?? name) !== name)
    throw badRequestError(`the name of the object (${metadata?.name}) does not match the name on the URL (${name})`);
  const applied: Record<string, unknown> = {
    apiVersion,
    kind,
    metadata: { name, ...(call.info.namespace && { namespace: call.info.namespace }) },
  };
  const path = call.registry.kind.scale?.replicas ?? ".spec.replicas";
  if (spec?.replicas !== undefined) setReplicas(applied, path, checkedReplicas(spec.replicas, name));
  return (current, options) => applyOnto(current, applied as unknown as KubeObject, call, options, "scale");
}

/** Throws 422. */
function checkedReplicas(replicas: number, name: string): number {
  const kind = { group: "autoscaling", plural: "scales", kind: "Scale" };
  if (replicas < 0) throw invalidError(kind, name, [invalid("spec.replicas", replicas, "must be greater than or equal to 0")]);
  return replicas;
}

function scaled(current: KubeObject, wanted: Scale, { registry, info }: VerbCall): Draft<KubeObject> {
  const next = draft(current) as Draft<Scalable>;
  const replicas = checkedReplicas(wanted.spec?.replicas ?? 0, current.metadata.name ?? "");
  checkNamespace(
    { metadata: draft(wanted.metadata ?? {}) },
    info.namespace,
    `the namespace of the object does not match the namespace on the request (${info.namespace})`,
  );
  const { resourceVersion, uid } = wanted.metadata ?? {};
  if (resourceVersion === undefined) delete next.metadata.resourceVersion;
  else next.metadata.resourceVersion = resourceVersion;
  if (uid !== undefined && registry.kind.resource.namespaced) next.metadata.uid = uid;
  setReplicas(next as unknown as Record<string, unknown>, registry.kind.scale?.replicas ?? ".spec.replicas", replicas);
  return next as Draft<KubeObject>;
}

/** Paths of `scale` are plain names with dots between them. */
function setReplicas(object: Record<string, unknown>, path: string, replicas: number): void {
  const names = path.replace(/^\./, "").split(".");
  const last = names.pop() ?? "";
  let at = object;
  // A definition's author names the path; it must not lead out of the object.
  if ([...names, last].some((name) => name in Object.prototype)) return;
  for (const name of names) at = (at[name] ??= {}) as Record<string, unknown>;
  at[last] = replicas;
}

function numberAt(object: KubeObject, path: string): number {
  const [value] = valuesAt(object, parseJsonPath(path) ?? []);
  return typeof value === "number" ? value : 0;
}

function selectorText(object: KubeObject, { scale }: KindSpec): string {
  if (scale !== undefined) {
    const [value] = scale.selector === undefined ? [] : valuesAt(object, parseJsonPath(scale.selector) ?? []);
    return typeof value === "string" ? value : "";
  }
  const { spec } = object as Scalable;
  // The oldest of them still selects by a plain map.
  const asMap = object.kind === "ReplicationController";
  return formatSelector(asMap ? selectorOfMap(spec?.selector as Labels | undefined) : selectorOf(spec?.selector as LabelSelector));
}

function scaleOf(object: KubeObject, kind: KindSpec): Scale {
  const { metadata } = object;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: JSON.parse(JSON.stringify({ name, namespace, uid, resourceVersion, creationTimestamp })) as NonNullable<Scale["metadata"]>,
    spec: { replicas: numberAt(object, kind.scale?.replicas ?? ".spec.replicas") },
    status: { replicas: numberAt(object, kind.scale?.statusReplicas ?? ".status.replicas"), selector: selectorText(object, kind) },
  };
}
