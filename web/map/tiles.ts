/** Where the tiles of many Services stand: a block for each namespace, rows of squares below its name. Pure. */
import type { ServiceRow } from "../data/service-row.ts";

export interface TileBlock {
  readonly namespace: string;
  readonly y: number;
  readonly first: number;
  readonly count: number;
}

export interface Tiles {
  /** Of a tile, with the gap behind it. */
  readonly step: number;
  readonly size: number;
  readonly perRow: number;
  readonly height: number;
  readonly blocks: readonly TileBlock[];
}

export const headHeight = 34;
const blockGap = 14;

/** `rows` in order of namespace. */
export function layoutTiles(rows: readonly ServiceRow[], width: number): Tiles {
  const size = rows.length <= 400 ? 22 : rows.length <= 2500 ? 16 : 11;
  const step = size + (size > 12 ? 4 : 3);
  const perRow = Math.max(1, Math.floor(width / step));
  const blocks: TileBlock[] = [];
  let y = 0;
  for (let first = 0; first < rows.length;) {
    const namespace = rows[first]?.namespace ?? "";
    let end = first;
    while (end < rows.length && rows[end]?.namespace === namespace) end++;
    blocks.push({ namespace, y, first, count: end - first });
    y += headHeight + Math.ceil((end - first) / perRow) * step + blockGap;
    first = end;
  }
  return { step, size, perRow, height: y, blocks };
}

/** Upper left corner of a tile. */
export function tileAt(tiles: Tiles, index: number): { readonly x: number; readonly y: number } {
  const block = blockOf(tiles, index);
  const within = index - block.first;
  return { x: (within % tiles.perRow) * tiles.step, y: block.y + headHeight + Math.floor(within / tiles.perRow) * tiles.step };
}

/** The tile at a point; undefined: none. */
export function tileUnder(tiles: Tiles, x: number, y: number): number | undefined {
  const block = tiles.blocks.findLast((each) => each.y <= y);
  if (block === undefined || y < block.y + headHeight || x < 0) return undefined;
  const column = Math.floor(x / tiles.step);
  const index = Math.floor((y - block.y - headHeight) / tiles.step) * tiles.perRow + column;
  return column < tiles.perRow && index < block.count ? block.first + index : undefined;
}

export function blockOf(tiles: Tiles, index: number): TileBlock {
  let [low, high] = [0, tiles.blocks.length - 1];
  while (low < high) {
    const half = (low + high + 1) >> 1;
    if ((tiles.blocks[half] as TileBlock).first <= index) low = half;
    else high = half - 1;
  }
  return tiles.blocks[low] as TileBlock;
}
