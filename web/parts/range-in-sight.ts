/** Which rows of a long list are drawn. Pure. */

/** Pixels; the style sheet has the same. */
export const rowHeight = 40;
/** Rows above and below what is in sight, so that a fast scroll shows no holes. */
const margin = 8;

export interface Range {
  readonly first: number;
  /** Behind the last. */
  readonly end: number;
}

/** `top`: how far it is scrolled; `height`: of its window. */
export function rangeInSight(top: number, height: number, count: number): Range {
  const first = Math.max(0, Math.min(count, Math.floor(top / rowHeight) - margin));
  return { first, end: Math.min(count, Math.ceil((top + height) / rowHeight) + margin) };
}
