/** A question to the server in the form of an object. Each review is a file beside this one and a line in `index.ts`. */
import type { KindSpec } from "../../api/kind.ts";
import type { KubeObject } from "../../api/object.ts";
import type { UserInfo } from "../../api/request.ts";
import type { Authorizer } from "../auth/authorizer.ts";
import type { TokenReviewer } from "./token-review.ts";

export interface ReviewContext {
  /** Who asks. */
  readonly user: UserInfo;
  /** Of the path. */
  readonly namespace: string | undefined;
  readonly authorizer: Authorizer;
  readonly tokens: TokenReviewer;
}

export interface Review<T extends KubeObject = KubeObject> {
  readonly kind: KindSpec;
  /** The status. Throws 400 and 422 for a question that cannot be answered. */
  answer(object: T, context: ReviewContext): object | Promise<object>;
}

/** Forgets the object's type; each review gets only objects of its own kind. */
export function defineReview<T extends KubeObject>(review: Review<T>): Review {
  return review as unknown as Review;
}

/** A user as reviews show it. */
export function shownUser({ name, uid, groups, extra }: UserInfo): object {
  return {
    username: name,
    ...(uid === undefined ? {} : { uid }),
    groups,
    ...(extra === undefined || Object.keys(extra).length === 0 ? {} : { extra }),
  };
}
