/** May this user do that: the SubjectAccessReview family (`pkg/registry/authorization`, validation in `pkg/apis/authorization/validation`). */
import { invalid, required, type FieldError } from "../../api/field-error.ts";
import type { KindSpec } from "../../api/kind.ts";
import {
  localSubjectAccessReviewKind,
  selfSubjectAccessReviewKind,
  selfSubjectRulesReviewKind,
  subjectAccessReviewKind,
} from "../../api/kinds/reviews.ts";
import type { UserInfo } from "../../api/request.ts";
import { badRequestError, invalidError } from "../../api/status.ts";
import type {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectAccessReviewSpec,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
} from "../../api/types.ts";
import type { AccessRequest, Decision } from "../auth/authorizer.ts";
import { defineReview } from "./review.ts";

export const subjectAccessReview = defineReview<SubjectAccessReview>({
  kind: subjectAccessReviewKind,
  answer({ spec }, { authorizer }) {
    check(subjectAccessReviewKind, [...attributeErrors(spec), ...subjectErrors(spec)]);
    return statusOf(authorizer.decide(subjectOf(spec), requestOf(spec)));
  },
});

export const localSubjectAccessReview = defineReview<LocalSubjectAccessReview>({
  kind: localSubjectAccessReviewKind,
  answer({ spec }, { authorizer, namespace = "" }) {
    check(localSubjectAccessReviewKind, [...attributeErrors(spec), ...subjectErrors(spec), ...localErrors(spec, namespace)]);
    return statusOf(authorizer.decide(subjectOf(spec), requestOf(spec)));
  },
});

export const selfSubjectAccessReview = defineReview<SelfSubjectAccessReview>({
  kind: selfSubjectAccessReviewKind,
  answer({ spec }, { authorizer, user }) {
    check(selfSubjectAccessReviewKind, attributeErrors(spec));
    return statusOf(authorizer.decide(user, requestOf(spec)));
  },
});

export const selfSubjectRulesReview = defineReview<SelfSubjectRulesReview>({
  kind: selfSubjectRulesReviewKind,
  answer({ spec }, { authorizer, user }) {
    const namespace = spec?.namespace ?? "";
    if (namespace === "") throw badRequestError("no namespace on request");
    return authorizer.rules(user, namespace);
  },
});

type Attributes = SelfSubjectAccessReviewSpec | undefined;

function check(kind: KindSpec, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidError(kind.resource, "", errors);
}

function attributeErrors(spec: Attributes): FieldError[] {
  const { resourceAttributes, nonResourceAttributes } = spec ?? {};
  const one = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
  if (resourceAttributes !== undefined && nonResourceAttributes !== undefined)
    return [invalid("spec.nonResourceAttributes", nonResourceAttributes, "cannot be specified in combination with resourceAttributes")];
  return resourceAttributes === undefined && nonResourceAttributes === undefined ? [invalid("spec.resourceAttributes", null, one)] : [];
}

function subjectErrors(spec: SubjectAccessReviewSpec | undefined): FieldError[] {
  const named = (spec?.user ?? "") !== "" || (spec?.groups?.length ?? 0) > 0;
  return named ? [] : [invalid("spec.user", spec?.user ?? "", "at least one of user or group must be specified")];
}

function localErrors(spec: SubjectAccessReviewSpec, namespace: string): FieldError[] {
  if (spec.nonResourceAttributes !== undefined)
    return [invalid("spec.nonResourceAttributes", spec.nonResourceAttributes, "disallowed on this kind of request")];
  const own = spec.resourceAttributes?.namespace ?? "";
  if (own === "") return [required("spec.resourceAttributes.namespace")];
  return own === namespace ? [] : [invalid("spec.resourceAttributes.namespace", own, "must match metadata.namespace")];
}

function subjectOf({ user = "", groups = [], uid }: SubjectAccessReviewSpec): UserInfo {
  return { name: user, groups, ...(uid === undefined ? {} : { uid }) };
}

function requestOf(spec: SelfSubjectAccessReviewSpec): AccessRequest {
  const { resourceAttributes, nonResourceAttributes } = spec;
  if (resourceAttributes === undefined)
    return { kind: "path", verb: nonResourceAttributes?.verb ?? "", path: nonResourceAttributes?.path ?? "" };
  const { verb = "", group = "", resource = "", subresource = "", namespace = "", name = "" } = resourceAttributes;
  return {
    kind: "resource",
    verb,
    group,
    plural: resource,
    ...(namespace === "" ? {} : { namespace }),
    ...(name === "" ? {} : { name }),
    ...(subresource === "" ? {} : { subresource }),
  };
}

function statusOf({ allowed, reason }: Decision): object {
  return { allowed, ...(reason === "" ? {} : { reason }) };
}
