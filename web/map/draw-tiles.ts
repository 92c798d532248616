/** Draws the tiles that are in sight on a canvas, in the colours of the page. */
import type { Rates } from "../data/rates.ts";
import type { ServiceRow } from "../data/service-row.ts";
import { serviceTone, type Tone } from "../parts/mark.tsx";
import { headHeight, tileAt, type Tiles } from "./tiles.ts";

export interface Palette {
  readonly tones: Readonly<Record<Tone, string>>;
  readonly ink: string;
  readonly soft: string;
  readonly ground: string;
  readonly accent: string;
  readonly font: string;
}

/** Tokens may be `light-dark(…)`: only an element's own colour says which it is now. */
export function paletteOf(root: HTMLElement): Palette {
  const probe = document.createElement("i");
  root.append(probe);
  const colour = (token: string) => {
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  };
  const tones = { ok: colour("--ok"), warn: colour("--warn"), bad: colour("--bad"), idle: colour("--idle") };
  const palette = {
    tones,
    ink: colour("--ink"),
    soft: colour("--ink-3"),
    ground: colour("--panel"),
    accent: colour("--accent"),
    font: getComputedStyle(document.body).fontFamily,
  };
  probe.remove();
  return palette;
}

export interface Drawing {
  readonly rows: readonly ServiceRow[];
  readonly rates: Rates;
  readonly tiles: Tiles;
  readonly palette: Palette;
  readonly chosen: number | undefined;
  readonly width: number;
  readonly height: number;
  readonly top: number;
}

export function drawTiles(canvas: HTMLCanvasElement, drawing: Drawing): void {
  const { width, height, top, tiles, rows, palette, chosen } = drawing;
  const scale = devicePixelRatio;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.translate(0, -top);
  for (const block of tiles.blocks) {
    const end = block.y + headHeight + Math.ceil(block.count / tiles.perRow) * tiles.step;
    if (end < top || block.y > top + height) continue;
    context.font = `600 12px ${palette.font}`;
    context.fillStyle = palette.ink;
    context.fillText(block.namespace, 0, block.y + 22);
    const wide = context.measureText(block.namespace).width;
    context.font = `12px ${palette.font}`;
    context.fillStyle = palette.soft;
    context.fillText(`${block.count}`, wide + 8, block.y + 22);
    const firstLine = Math.max(0, Math.floor((top - block.y - headHeight) / tiles.step));
    const lastLine = Math.ceil((top + height - block.y - headHeight) / tiles.step);
    const stop = Math.min(block.count, lastLine * tiles.perRow);
    for (let i = firstLine * tiles.perRow; i < stop; i++) drawTile(context, block.first + i, drawing);
  }
  if (chosen !== undefined && rows[chosen] !== undefined) {
    const { x, y } = tileAt(tiles, chosen);
    context.strokeStyle = palette.accent;
    context.lineWidth = 2;
    context.strokeRect(x - 1.5, y - 1.5, tiles.size + 3, tiles.size + 3);
  }
}

function drawTile(context: CanvasRenderingContext2D, index: number, { rows, rates, tiles, palette }: Drawing): void {
  const row = rows[index] as ServiceRow;
  const { x, y } = tileAt(tiles, index);
  const { size } = tiles;
  const tone = serviceTone[row.state];
  const busy = rates.service.has(row.key);
  context.fillStyle = palette.tones[tone];
  context.strokeStyle = palette.tones[tone];
  context.globalAlpha = tone === "ok" ? (busy ? 1 : 0.55) : 1;
  // The same shapes as everywhere: full, half, crossed, a dash.
  if (tone === "ok") context.fillRect(x, y, size, size);
  else if (tone === "warn") {
    context.fillRect(x + size / 2, y, size / 2, size);
    context.lineWidth = 1.5;
    context.strokeRect(x + 0.75, y + 0.75, size - 1.5, size - 1.5);
  } else if (tone === "bad") {
    context.lineWidth = 1.5;
    context.strokeRect(x + 0.75, y + 0.75, size - 1.5, size - 1.5);
    context.beginPath();
    context.moveTo(x + 3, y + 3);
    context.lineTo(x + size - 3, y + size - 3);
    context.moveTo(x + size - 3, y + 3);
    context.lineTo(x + 3, y + size - 3);
    context.stroke();
  } else context.fillRect(x + 2, y + size / 2 - 1, size - 4, 2);
  context.globalAlpha = 1;
  if (busy && size > 8) {
    context.fillStyle = palette.ground;
    context.beginPath();
    context.arc(x + size / 2, y + size / 2, Math.max(1.5, size / 8), 0, 2 * Math.PI);
    context.fill();
  }
}
