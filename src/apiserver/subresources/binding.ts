/** `pods/binding`: the scheduler's decision where a pod runs (`pkg/registry/core/pod/storage` assignPod). */
import { decodeType } from "../../api/decode.ts";
import { invalid, required, type FieldError } from "../../api/field-error.ts";
import { draft, type Draft, type KubeObject } from "../../api/object.ts";
import type { ApiResponse } from "../../api/request.ts";
import { conflictError, invalidError, methodNotAllowedError } from "../../api/status.ts";
import type { Binding, Pod } from "../../api/types.ts";
import { rfc3339 } from "../../lib/clock.ts";
import { readBody } from "../encode/body.ts";
import { respond } from "../encode/respond.ts";
import { writeQuery } from "../query.ts";
import { nameOf, userAgentOf, Warnings, type VerbCall } from "../verbs/call.ts";
import { writeContext } from "../verbs/create.ts";
import { checkName } from "../verbs/update.ts";

const bindings = { group: "", plural: "pods/binding", kind: "Binding" };

export async function binding(call: VerbCall): Promise<ApiResponse> {
  const { registry, info, request, clock } = call;
  if (info.verb !== "create") throw methodNotAllowedError(registry.kind.resource, info.verb);
  const name = nameOf(call);
  const options = writeQuery(request.query, userAgentOf(call), "CreateOptions");
  const body = decodeType<Draft<Binding>>("Binding", await readBody(request, "Binding"));
  body.metadata ??= {};
  body.metadata.name ??= name;
  checkName(body as Draft<KubeObject>, name, info.namespace);
  const errors = targetErrors(body as Binding);
  if (errors.length > 0) throw invalidError(bindings, name, errors);
  const change = (current: KubeObject) => ({ object: bound(current as Pod, body as Binding, rfc3339(clock.now())) });
  await registry.update(info.namespace, name, { subresource: "binding" }, change, writeContext(call, options, new Warnings()));
  return respond(201, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 });
}

function targetErrors({ target }: Binding): FieldError[] {
  const errors: FieldError[] = [];
  if ((target?.kind ?? "") !== "" && target.kind !== "Node") errors.push(invalid("target.kind", target.kind, 'must be "Node"'));
  if ((target?.name ?? "") === "") errors.push(required("target.name"));
  return errors;
}

function bound(pod: Pod, { metadata, target }: Binding, time: string): Draft<KubeObject> {
  const name = pod.metadata.name ?? "";
  if (pod.metadata.deletionTimestamp !== undefined)
    throw conflictError(bindings, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  const before = pod.spec?.nodeName ?? "";
  if (before !== "") throw conflictError(bindings, name, `pod ${name} is already assigned to node ${JSON.stringify(before)}`);
  const next: Draft<Pod> = draft(pod);
  next.spec = { ...next.spec, nodeName: target.name } as NonNullable<typeof next.spec>;
  // A scheduler may annotate the pod along the way.
  const annotations = metadata?.annotations;
  if (annotations !== undefined) next.metadata.annotations = { ...next.metadata.annotations, ...annotations };
  const { conditions = [], nominatedNodeName: _, ...status } = next.status ?? {};
  const others = conditions.filter(({ type }) => type !== "PodScheduled");
  next.status = { ...status, conditions: [...others, { type: "PodScheduled", status: "True", lastTransitionTime: time }] };
  return next as Draft<KubeObject>;
}
