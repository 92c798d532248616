/** What the parts of a walk share: where it stands, and how it ends. */
import type { Service, ServicePort } from "../../api/types.ts";
import type { FoundClient } from "./client.ts";
import type { ExplainCode } from "./codes.ts";
import type { Edit, Question, Step, Warning } from "./explanation.ts";
import type { ObjectRef } from "./snapshot.ts";
import type { World } from "./world.ts";

/** One question under way: parts add their steps, in order. */
export interface Walk {
  readonly world: World;
  readonly question: Question;
  readonly client: FoundClient;
  readonly steps: Step[];
  readonly warnings: Warning[];
}

/** How a walk, or a part of it, ends. */
export interface Outcome {
  readonly code: ExplainCode;
  /** Clause of the verdict, without its end: `no pod in shop matches app=web`. */
  readonly text: string;
  readonly certainty?: "likely";
  /** Where the cause is, when the walk can go on there. */
  readonly about?: ObjectRef;
  /** `address:port`, of those that may get the request. */
  readonly endpoints?: readonly string[];
  /** What could be otherwise, the most telling first: found where the cause was. */
  readonly proposals?: readonly Proposal[];
}

export interface Proposal {
  /** `Set spec.selector.app of Service shop/web to "webapp"` */
  readonly text: string;
  /** None where no single edit does it (start a pod, ask another name). */
  readonly edit?: Edit;
  /** The question that would have been right; tried in place of an edit. */
  readonly ask?: { readonly target?: string; readonly method?: string; readonly from?: "anywhere" };
}

export interface ServiceTarget {
  readonly service: Service;
  readonly port: ServicePort;
}

export function step(walk: Walk, each: Omit<Step, "candidates"> & { readonly candidates?: Step["candidates"] }): void {
  walk.steps.push({ candidates: [], ...each });
}

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** `a, b and c` */
export function listed(texts: readonly string[], most = 5): string {
  const shown = texts.length > most ? [...texts.slice(0, most - 1), `${texts.length - most + 1} more`] : texts;
  return shown.length <= 1 ? (shown[0] ?? "none") : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}
