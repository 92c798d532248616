/** What a kept answer is worth now: pure (CoreDNS `plugin/cache`, RFC 8767). */

/** Times in seconds unless they say otherwise. */
export interface CachePolicy {
  /** For how long an answer may be told after its time; 0: never. */
  readonly staleUpTo: number;
  /** `verify`: the source is asked first, the stale answer is for when it does not know better. */
  readonly staleMode: "immediate" | "verify";
  /** For how long the source is waited for with `verify`, in ms; 0: as long as it takes. */
  readonly verifyMs: number;
  /** The TTL that a stale answer is told with. */
  readonly staleTtl: number;
  /** After a refresh that failed the source is left alone for so long, in ms. */
  readonly recheckMs: number;
  /** A positive answer, be it stale, goes before a denial or failure. */
  readonly preferPositive: boolean;
  /** Queries that make an answer worth being fetched anew before its time ends; 0: none are. */
  readonly prefetch: number;
  /** A gap between queries after which they are counted anew, in ms. */
  readonly prefetchGapMs: number;
  /** Of its time that is left when it is fetched. */
  readonly prefetchPercent: number;
}

/** How often an answer was asked for, without gaps. */
export interface Popularity {
  hits: number;
  /** Monotonic ms. */
  last: number;
}

export interface Kept {
  /** Monotonic ms. */
  readonly stored: number;
  readonly ttl: number;
}

export type Verdict =
  | { readonly kind: "fresh"; readonly left: number }
  | { readonly kind: "stale"; readonly overdue: number }
  | { readonly kind: "gone" };

/** `now`: monotonic ms. */
export function judge({ stored, ttl }: Kept, now: number, { staleUpTo }: Pick<CachePolicy, "staleUpTo">): Verdict {
  const left = ttl - Math.floor((now - stored) / 1000);
  if (left > 0) return { kind: "fresh", left };
  return -left < staleUpTo ? { kind: "stale", overdue: -left } : { kind: "gone" };
}

/** Counts one more query. */
export function count(popularity: Popularity, now: number, { prefetchGapMs }: Pick<CachePolicy, "prefetchGapMs">): void {
  popularity.hits = now - popularity.last > prefetchGapMs ? 1 : popularity.hits + 1;
  popularity.last = now;
}

/** Whether so popular an answer, with `left` seconds of its `ttl`, is to be fetched now. */
export function isDue(
  { hits }: Popularity,
  ttl: number,
  left: number,
  { prefetch, prefetchPercent }: Pick<CachePolicy, "prefetch" | "prefetchPercent">,
): boolean {
  return prefetch > 0 && hits >= prefetch && left <= Math.ceil((prefetchPercent / 100) * ttl);
}
