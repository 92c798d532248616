/** SelfSubjectReview: who am I (`kubectl auth whoami`, KEP-3325). */
import { selfSubjectReviewKind } from "../../api/kinds/reviews.ts";
import { defineReview, shownUser } from "./review.ts";

export const selfSubjectReview = defineReview({
  kind: selfSubjectReviewKind,
  answer: (_object, { user }) => ({ userInfo: shownUser(user) }),
});
