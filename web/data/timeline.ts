/** The states of endpoints over time, as the page has seen them since it was opened. Bounded. */
import type { EndpointRow } from "./service-row.ts";

export interface Span {
  readonly state: EndpointRow["state"];
  /** Milliseconds since the epoch. */
  readonly from: number;
  /** Undefined: it still is. */
  readonly to: number | undefined;
}

const mostSpans = 50;
const mostEndpoints = 200;

export class Timeline {
  /** Endpoint → its spans, the oldest first. */
  readonly #spans = new Map<string, Span[]>();

  /** `since`: when an endpoint that was not known before came into its state, as its pod says it. */
  see(rows: readonly EndpointRow[], now: number, since: (row: EndpointRow) => number | undefined = () => undefined): void {
    const present = new Set(rows.map(({ text }) => text));
    for (const row of rows) this.#enter(row, now, since);
    for (const [text, spans] of this.#spans) if (!present.has(text)) end(spans, now);
    for (const text of this.#spans.keys()) {
      if (this.#spans.size <= mostEndpoints) break;
      if (!present.has(text)) this.#spans.delete(text);
    }
  }

  spans(): ReadonlyMap<string, readonly Span[]> {
    return this.#spans;
  }

  #enter(row: EndpointRow, now: number, since: (row: EndpointRow) => number | undefined): void {
    const { text, state } = row;
    const spans = this.#spans.get(text);
    if (spans === undefined) {
      this.#spans.set(text, [{ state, from: Math.min(now, since(row) ?? now), to: undefined }]);
      return;
    }
    const last = spans.at(-1);
    if (last?.state === state && last.to === undefined) return;
    end(spans, now);
    spans.push({ state, from: now, to: undefined });
    if (spans.length > mostSpans) spans.shift();
  }
}

function end(spans: Span[], now: number): void {
  const last = spans.at(-1);
  if (last !== undefined && last.to === undefined) spans[spans.length - 1] = { ...last, to: now };
}
