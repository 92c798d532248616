/**
 * The map of very many Services: a tile each, on a canvas that is as large as the window and no larger. Arrow keys go from tile to tile,
 * Enter opens one; what the tile under the cursor is gets told as text.
 */
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Rates } from "../data/rates.ts";
import type { ServiceRow } from "../data/service-row.ts";
import { serviceWord } from "../parts/mark.tsx";
import { go } from "../route.ts";
import { drawTiles, paletteOf } from "./draw-tiles.ts";
import { headHeight, layoutTiles, tileAt, tileUnder } from "./tiles.ts";

export interface OverviewProps {
  readonly rows: readonly ServiceRow[];
  readonly rates: Rates;
}

export function Overview({ rows, rates }: OverviewProps): JSX.Element {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [view, setView] = useState({ width: 800, height: 500, top: 0 });
  const [theme, setTheme] = useState(0);
  const [chosen, setChosen] = useState<number | undefined>(undefined);
  const tiles = useMemo(() => layoutTiles(rows, view.width), [rows, view.width]);

  useEffect(() => {
    const element = frame.current as HTMLDivElement;
    const look = () => setView({ width: element.clientWidth, height: element.clientHeight, top: element.scrollTop });
    const observer = new ResizeObserver(look);
    const recolour = () => setTheme((count) => count + 1);
    observer.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    addEventListener("themechange", recolour);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", recolour);
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", look);
      removeEventListener("themechange", recolour);
      dark.removeEventListener("change", recolour);
    };
  }, []);

  const palette = useMemo(() => paletteOf(document.documentElement), [theme]);
  useEffect(() => {
    drawTiles(canvas.current as HTMLCanvasElement, { rows, rates, tiles, palette, chosen, ...view });
  }, [rows, rates, tiles, palette, chosen, view]);

  const under = (event: MouseEvent) => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    return tileUnder(tiles, event.clientX - box.left, event.clientY - box.top + view.top);
  };
  const move = (event: KeyboardEvent) => {
    const row = rows[chosen ?? -1];
    if (event.key === "Enter" && row !== undefined) return open(row);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: tiles.perRow, ArrowUp: -tiles.perRow }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = chosen === undefined ? 0 : Math.max(0, Math.min(rows.length - 1, chosen + step));
    setChosen(next);
    bringIntoSight(frame.current as HTMLDivElement, tileAt(tiles, next).y, tiles.size);
  };
  const row = rows[chosen ?? -1];
  return (
    <div class="overview">
      <div class="overview-frame" ref={frame}>
        <canvas
          ref={canvas}
          tabIndex={0}
          role="application"
          aria-label={`${rows.length} Services as tiles. Arrow keys move, Enter opens.`}
          style={{ width: `${view.width}px`, height: `${view.height}px` }}
          onMouseMove={(event) => setChosen(under(event))}
          onMouseLeave={() => setChosen(undefined)}
          onClick={(event) => {
            const found = rows[under(event) ?? -1];
            if (found !== undefined) open(found);
          }}
          onKeyDown={move}
        />
        <div style={{ height: `${Math.max(0, tiles.height - view.height)}px` }} />
      </div>
      <p class="overview-said" aria-live="polite">
        {row === undefined ? "Point at a tile, or press an arrow key." : `${row.key}: ${serviceWord(row)}, ${row.type} ${row.clusterIP}`}
      </p>
    </div>
  );
}

/** The Service with what leads to it and what it leads to. */
function open({ namespace, name }: ServiceRow): void {
  go(`/?${new URLSearchParams({ ns: namespace, q: `${namespace}/${name}` })}`);
}

function bringIntoSight(frame: HTMLElement, y: number, size: number): void {
  if (y < frame.scrollTop + headHeight) frame.scrollTop = y - headHeight;
  else if (y + size > frame.scrollTop + frame.clientHeight) frame.scrollTop = y + size - frame.clientHeight + 8;
}
