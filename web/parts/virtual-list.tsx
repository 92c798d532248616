/**
 * A list of which only the rows in sight are in the page, however long it is. Rows have one height and lead somewhere; arrow keys move between
 * them, and a screen reader is told how many there are.
 */
import { Component, type ComponentChildren, type JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { rangeInSight, rowHeight, type Range } from "./range-in-sight.ts";

export interface Column<T> {
  readonly title: string;
  /** A CSS grid track: `minmax(0, 2fr)`. */
  readonly width: string;
  /** Not on small screens. */
  readonly wide?: boolean;
  readonly cell: (row: T) => ComponentChildren;
}

export interface VirtualListProps<T> {
  readonly rows: readonly T[];
  readonly columns: readonly Column<T>[];
  readonly keyOf: (row: T) => string;
  readonly hrefOf: (row: T) => string;
  readonly label: string;
}

export function VirtualList<T>({ rows, columns, keyOf, hrefOf, label }: VirtualListProps<T>): JSX.Element {
  const body = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState<Range>({ first: 0, end: 30 });
  const narrow = useNarrow();
  const shown = useMemo(() => (narrow ? columns.filter(({ wide }) => wide !== true) : columns), [narrow, columns]);
  const look = () => {
    const element = body.current;
    if (element === null) return;
    const next = rangeInSight(element.scrollTop, element.clientHeight, rows.length);
    setRange((now) => (now.first === next.first && now.end === next.end ? now : next));
  };
  useLayoutEffect(look, [rows.length]);
  useEffect(() => {
    addEventListener("resize", look);
    return () => removeEventListener("resize", look);
  });
  return (
    <div class="panel list" role="table" aria-label={label} aria-rowcount={rows.length + 1}>
      <div class="list-head" role="row" aria-rowindex={1} style={{ gridTemplateColumns: templateOf(shown) }}>
        {shown.map(({ title }) => (
          <span key={title} role="columnheader">
            {title}
          </span>
        ))}
      </div>
      <div class="list-body" role="rowgroup" ref={body} onScroll={look} onKeyDown={moveFocus}>
        <div role="presentation" style={{ height: `${rows.length * rowHeight}px` }}>
          {rows.slice(range.first, range.end).map((row, i) => (
            <Row key={keyOf(row)} row={row} index={range.first + i} columns={shown} href={hrefOf(row)} />
          ))}
        </div>
      </div>
    </div>
  );
}

interface RowProps<T> {
  readonly row: T;
  readonly index: number;
  readonly columns: readonly Column<T>[];
  readonly href: string;
}

/** A scroll draws the rows that come into sight and leaves the others alone. */
class Row<T> extends Component<RowProps<T>> {
  override shouldComponentUpdate({ row, index, columns }: RowProps<T>): boolean {
    return row !== this.props.row || index !== this.props.index || columns !== this.props.columns;
  }

  override render({ row, index, columns, href }: RowProps<T>): JSX.Element {
    const style = { gridTemplateColumns: templateOf(columns), top: `${index * rowHeight}px` };
    return (
      <div class="list-row" role="row" aria-rowindex={index + 2} data-index={index} style={style}>
        {columns.map(({ title, cell }, column) => (
          <span key={title} role="cell">
            {column === 0 ? <a href={href}>{cell(row)}</a> : cell(row)}
          </span>
        ))}
      </div>
    );
  }
}

function templateOf<T>(columns: readonly Column<T>[]): string {
  return columns.map(({ width }) => width).join(" ");
}

const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12, Home: -Infinity, End: Infinity };

/** The row comes into sight first: only then is it in the page and can have the focus. */
function moveFocus(event: KeyboardEvent): void {
  const step = steps[event.key];
  const row = (event.target as Element).closest<HTMLElement>("[data-index]");
  const body = event.currentTarget as HTMLElement;
  if (step === undefined || row === null) return;
  event.preventDefault();
  const last = Math.round((body.firstElementChild as HTMLElement).offsetHeight / rowHeight) - 1;
  const wanted = Math.max(0, Math.min(last, Number(row.dataset["index"]) + step));
  const top = wanted * rowHeight;
  if (top < body.scrollTop) body.scrollTop = top;
  else if (top + rowHeight > body.scrollTop + body.clientHeight) body.scrollTop = top + rowHeight - body.clientHeight;
  const focus = () => body.querySelector<HTMLElement>(`[data-index="${wanted}"] a`)?.focus({ preventScroll: true });
  focus();
  requestAnimationFrame(() => requestAnimationFrame(focus));
}

export function useNarrow(): boolean {
  const [narrow, setNarrow] = useState(() => matchMedia("(max-width: 680px)").matches);
  useEffect(() => {
    const query = matchMedia("(max-width: 680px)");
    const look = () => setNarrow(query.matches);
    query.addEventListener("change", look);
    return () => query.removeEventListener("change", look);
  }, []);
  return narrow;
}
