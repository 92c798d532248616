/** Every review, found by its kind's resource. */
import { decodeObject } from "../../api/decode.ts";
import type { KubeObject } from "../../api/object.ts";
import type { ApiRequest, ApiResponse } from "../../api/request.ts";
import { methodNotAllowedError, noPathError } from "../../api/status.ts";
import { representation } from "../encode/accept.ts";
import { readBody } from "../encode/body.ts";
import { respond } from "../encode/respond.ts";
import { writeQuery } from "../query.ts";
import type { ResourceRequest } from "../request-info.ts";
import { checkNamespace } from "../verbs/create.ts";
import { Warnings } from "../verbs/call.ts";
import { localSubjectAccessReview, selfSubjectAccessReview, selfSubjectRulesReview, subjectAccessReview } from "./access-reviews.ts";
import type { Review, ReviewContext } from "./review.ts";
import { selfSubjectReview } from "./self-subject-review.ts";
import { tokenReview } from "./token-review.ts";

export const reviews: readonly Review[] = [
  tokenReview,
  selfSubjectReview,
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectRulesReview,
  subjectAccessReview,
];

export function reviewOf({ group, version, plural }: ResourceRequest): Review | undefined {
  return reviews.find(({ kind: { resource } }) => resource.plural === plural && resource.group === group && resource.version === version);
}

/** Answers 201 with the question and its status, as upstream does. */
export async function answerReview(
  review: Review,
  request: ApiRequest,
  info: ResourceRequest,
  context: Omit<ReviewContext, "user" | "namespace">,
): Promise<ApiResponse> {
  const { resource } = review.kind;
  if ((info.namespace !== undefined) !== resource.namespaced || info.subresource !== undefined) throw noPathError();
  if (info.verb !== "create" || info.name !== undefined) throw methodNotAllowedError(resource, info.verb);
  const options = writeQuery(request.query, request.headers["user-agent"] ?? "", "CreateOptions");
  const warnings = new Warnings();
  const { object, warnings: texts } = decodeObject(review.kind, await readBody(request, resource.kind), options.fieldValidation);
  texts.forEach(warnings.add);
  checkNamespace(object, info.namespace, "the namespace of the provided object does not match the namespace sent on the request");
  const status = await review.answer(object as KubeObject, { ...context, user: request.user, namespace: info.namespace });
  const response = await respond(201, { ...object, status }, representation(request.headers["accept"]).encoding);
  return { ...response, headers: { ...response.headers, ...warnings.headers() } };
}
