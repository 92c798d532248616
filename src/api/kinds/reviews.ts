/**
 * Questions to the server in the form of objects (authentication.k8s.io, authorization.k8s.io): they can be created, the answer is
 * in their status, and nothing is stored.
 */
import type { KindSpec } from "../kind.ts";
import type { Resource } from "../resources.ts";
import { nameColumn } from "./define.ts";

const authentication = "authentication.k8s.io";
const authorization = "authorization.k8s.io";

function review(group: string, kind: string, namespaced = false): KindSpec {
  const singular = kind.toLowerCase();
  const resource: Resource = { group, version: "v1", plural: `${singular}s`, kind, namespaced };
  return {
    resource,
    definition: kind,
    singular,
    shortNames: [],
    categories: [],
    subresources: [],
    verbs: ["create"],
    nameRule: "pathSegment",
    columns: [nameColumn],
  };
}

export const tokenReviewKind = review(authentication, "TokenReview");
export const selfSubjectReviewKind = review(authentication, "SelfSubjectReview");
export const localSubjectAccessReviewKind = review(authorization, "LocalSubjectAccessReview", true);
export const selfSubjectAccessReviewKind = review(authorization, "SelfSubjectAccessReview");
export const selfSubjectRulesReviewKind = review(authorization, "SelfSubjectRulesReview");
export const subjectAccessReviewKind = review(authorization, "SubjectAccessReview");

export const reviewKinds: readonly KindSpec[] = [
  tokenReviewKind,
  selfSubjectReviewKind,
  localSubjectAccessReviewKind,
  selfSubjectAccessReviewKind,
  selfSubjectRulesReviewKind,
  subjectAccessReviewKind,
];
