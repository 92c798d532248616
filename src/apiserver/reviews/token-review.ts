/** TokenReview: whether a bearer token is good, and for whom it speaks (`pkg/registry/authentication/tokenreview`). */
import { tokenReviewKind } from "../../api/kinds/reviews.ts";
import type { UserInfo } from "../../api/request.ts";
import { badRequestError } from "../../api/status.ts";
import type { TokenReview } from "../../api/types.ts";
import { defineReview, shownUser } from "./review.ts";

export type TokenAnswer =
  | { readonly kind: "valid"; readonly user: UserInfo; readonly audiences: readonly string[] }
  | { readonly kind: "invalid"; readonly reason: string };

/** `audiences` empty: this API server itself. */
export type TokenReviewer = (token: string, audiences: readonly string[]) => Promise<TokenAnswer>;

export const tokenReview = defineReview<TokenReview>({
  kind: tokenReviewKind,
  async answer({ spec }, { tokens }) {
    const token = spec?.token ?? "";
    if (token === "") throw badRequestError("token is required for TokenReview in authentication");
    const answer = await tokens(token, spec?.audiences ?? []);
    if (answer.kind === "invalid") return { authenticated: false, user: {}, error: answer.reason };
    const { name, groups } = answer.user;
    const user = { ...answer.user, groups: groups.includes(everybody) ? groups : [...groups, everybody], name };
    return { authenticated: true, user: shownUser(user), ...(answer.audiences.length === 0 ? {} : { audiences: answer.audiences }) };
  },
});

const everybody = "system:authenticated";
