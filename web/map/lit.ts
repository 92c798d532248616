/** What of the map an explanation lights up: elements with the steps that name them, and why some were passed over. Pure. */
import type { Explanation } from "../../src/decide/explain/explanation.ts";
import { refText } from "../../src/decide/explain/snapshot.ts";
import { inside, outside } from "./graph.ts";

export interface Lit {
  /** Element → numbers of steps, from 1. */
  readonly steps: ReadonlyMap<string, readonly number[]>;
  /** Element → reason code. */
  readonly rejected: ReadonlyMap<string, string>;
  /** Of the step that is being looked at. */
  readonly current: ReadonlySet<string>;
}

/** `shown`: how many steps have been drawn so far; `current`: the one looked at, from 1. */
export function litBy({ from, path }: Explanation, shown: number, current: number): Lit {
  const steps = new Map<string, number[]>();
  const rejected = new Map<string, string>();
  const kept = new Set<string>();
  const now = new Set<string>();
  const light = (id: string, step: number) => {
    const list = steps.get(id);
    if (list === undefined) steps.set(id, [step]);
    else if (!list.includes(step)) list.push(step);
    if (step === current) now.add(id);
  };
  light(from.kind === "outside" ? outside : inside, 1);
  path.slice(0, shown).forEach(({ ref, candidates }, index) => {
    if (ref !== undefined) light(refText(ref), index + 1);
    for (const candidate of candidates) {
      // Endpoints that somebody wrote by hand have no object of their own.
      const id = candidate.ref === undefined ? `Endpoint ${candidate.name}` : refText(candidate.ref);
      light(id, index + 1);
      // An Ingress of which one rule is taken and another is not is no rejected Ingress.
      if (candidate.kept) kept.add(id);
      else rejected.set(id, candidate.reason);
    }
  });
  for (const id of kept) rejected.delete(id);
  return { steps, rejected, current: now };
}

/** Keys of the Services that an explanation is about, so that they are on the map. */
export function servicesOf({ path }: Explanation): readonly string[] {
  const refs = path.flatMap(({ ref, candidates }) => [ref, ...candidates.filter(({ kept }) => kept).map((each) => each.ref)]);
  return [...new Set(refs.flatMap((ref) => (ref?.kind === "Service" ? [`${ref.namespace}/${ref.name}`] : [])))];
}
