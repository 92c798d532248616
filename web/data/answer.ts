/** An explanation of what the page holds now. Computed anew only when the question or the cluster changes. */
import type { Explanation, Question } from "../../src/decide/explain/explanation.ts";
import { explain } from "../../src/decide/explain/explain.ts";
import type { Model } from "./model.ts";
import { snapshotOfModel } from "./snapshot.ts";

export type Answer = { readonly kind: "explained"; readonly explanation: Explanation } | { readonly kind: "failed"; readonly why: string };

export function answer(model: Model, question: Question): Answer {
  try {
    return { kind: "explained", explanation: explain(snapshotOfModel(model), question) };
  } catch (error) {
    // A fault of ours must not take the page with it.
    return { kind: "failed", why: (error as Error).message };
  }
}
