/** `pods/log` (`pkg/registry/core/pod/rest/log.go`). */
import { invalid, type FieldError } from "../../api/field-error.ts";
import type { LogOptions } from "../../api/node-agent.ts";
import type { ApiResponse } from "../../api/request.ts";
import { invalidError, methodNotAllowedError } from "../../api/status.ts";
import type { Pod } from "../../api/types.ts";
import { answer } from "../encode/respond.ts";
import { integer } from "../query.ts";
import { isTrue } from "../request-info.ts";
import { nameOf, type VerbCall } from "../verbs/call.ts";
import { agentOf, containerOf, podRef, type NodeAgentLookup } from "./pod-target.ts";

export async function log(call: VerbCall, lookup: NodeAgentLookup): Promise<ApiResponse> {
  const { registry, info, request } = call;
  if (info.verb !== "get") throw methodNotAllowedError(registry.kind.resource, info.verb);
  const name = nameOf(call);
  const options = logQuery(request.query, name);
  const pod = registry.get(info.namespace, name).object() as Pod;
  const container = containerOf(pod, options.container);
  // A pod that no node has taken has said nothing yet.
  if ((pod.spec?.nodeName ?? "") === "") return answer(200, { kind: "empty" }, "text/plain");
  const signal = request.signal ?? new AbortController().signal;
  const chunks = await agentOf(pod, lookup).logs(podRef(pod), { ...options, container }, signal);
  return answer(200, { kind: "chunks", chunks }, "text/plain");
}

/** Throws 400 for what is no number and 422 for numbers that make no sense. */
export function logQuery(query: URLSearchParams, pod: string): LogOptions {
  const numbers = {
    tailLines: integer(query, "tailLines"),
    sinceSeconds: integer(query, "sinceSeconds"),
    limitBytes: integer(query, "limitBytes"),
  };
  const sinceTime = query.get("sinceTime") ?? "";
  const errors = [...numberErrors(numbers), ...timeErrors(sinceTime, numbers.sinceSeconds)];
  if (errors.length > 0) throw invalidError({ group: "", plural: "podlogoptions", kind: "PodLogOptions" }, pod, errors);
  return {
    container: query.get("container") ?? "",
    follow: isTrue(query.get("follow")),
    previous: isTrue(query.get("previous")),
    timestamps: isTrue(query.get("timestamps")),
    ...(Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined)) as Partial<
      Record<keyof typeof numbers, number>
    >),
    ...(sinceTime === "" ? {} : { sinceTime }),
  };
}

interface Numbers {
  readonly tailLines: number | undefined;
  readonly sinceSeconds: number | undefined;
  readonly limitBytes: number | undefined;
}

function numberErrors({ tailLines, sinceSeconds, limitBytes }: Numbers): FieldError[] {
  const errors: FieldError[] = [];
  if (tailLines !== undefined && tailLines < 0) errors.push(invalid("tailLines", tailLines, "must be greater than or equal to 0"));
  if (limitBytes !== undefined && limitBytes < 1) errors.push(invalid("limitBytes", limitBytes, "must be greater than 0"));
  if (sinceSeconds !== undefined && sinceSeconds < 1) errors.push(invalid("sinceSeconds", sinceSeconds, "must be greater than 0"));
  return errors;
}

function timeErrors(sinceTime: string, sinceSeconds: number | undefined): FieldError[] {
  if (sinceTime === "") return [];
  if (sinceSeconds !== undefined)
    return [
      { type: "FieldValueForbidden", field: "", message: "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified" },
    ];
  return Number.isNaN(Date.parse(sinceTime)) ? [invalid("sinceTime", sinceTime, "must be a time as RFC 3339 has it")] : [];
}
