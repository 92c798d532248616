/**
 * What another `ndots` would do to a client, from what it asked so far (resolv.conf(5); musl's resolver does not go on to the search
 * path when a name had enough dots, glibc's does).
 */
import type { ClientReport, NameReport } from "./query-tally.ts";
import { dotsOf } from "./search-path.ts";

export interface NdotsAdvice {
  readonly ndots: number;
  /** Questions that would not have been asked, at least. */
  readonly saved: number;
  /**
   * Names with that many dots which only a search domain answered: asked as they are first, of whoever is upstream, and with musl of
   * nobody else. To be written out in full, or with fewer dots.
   */
  readonly breaks: readonly string[];
}

/** What the kubelet writes. */
export const usualNdots = 5;

export function ndotsAdvice({ names }: Pick<ClientReport, "names">, ndots: number): NdotsAdvice {
  const changed = names.filter(({ name }) => dotsOf(name) >= ndots && dotsOf(name) < usualNdots);
  return {
    ndots,
    saved: changed.filter(isWhole).reduce((sum, { wasted }) => sum + wasted, 0),
    breaks: changed.filter(({ search }) => search > 0).map(({ name }) => name),
  };
}

const isWhole = ({ absolute, search }: NameReport): boolean => absolute > 0 && search === 0;
