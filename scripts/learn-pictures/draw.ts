/** Boxes in columns and arrows between them, as SVG that follows the reader's light or dark theme. Pure. */

export interface Box {
  /** For arrows. */
  readonly id: string;
  readonly label: string;
  /** A second line, in type of one width: addresses, rules. */
  readonly detail?: string;
  /** `soft`: not a thing that acts (an object, a name). `strong`: what the picture is about. Default: plain. */
  readonly tone?: "soft" | "strong";
}

export interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly label?: string;
  /** Something that could happen and does not here. */
  readonly dashed?: boolean;
}

export interface Picture {
  /** For who does not see it. */
  readonly title: string;
  readonly columns: readonly (readonly Box[])[];
  readonly arrows: readonly Arrow[];
}

interface Placed extends Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const margin = 16;
const gap = { x: 120, y: 18 };
const line = { label: 17, detail: 15, padding: 11 };

export function draw({ title, columns, arrows }: Picture): string {
  const widths = columns.map((boxes) => Math.max(...boxes.map(widthOf)));
  const heights = columns.map((boxes) => boxes.reduce((sum, box) => sum + heightOf(box) + gap.y, -gap.y));
  const height = Math.max(...heights);
  const width = widths.reduce((sum, each) => sum + each, 0) + gap.x * (columns.length - 1);
  const placed = columns.flatMap((boxes, column) => {
    const x = margin + widths.slice(0, column).reduce((sum, each) => sum + each + gap.x, 0);
    let y = margin + (height - (heights[column] as number)) / 2;
    return boxes.map((box): Placed => {
      const at = { ...box, x, y, width: widths[column] as number, height: heightOf(box) };
      y += at.height + gap.y;
      return at;
    });
  });
  const byId = new Map(placed.map((box) => [box.id, box]));
  const size = { width: Math.ceil(width + 2 * margin), height: Math.ceil(height + 2 * margin) };
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" width="${size.width}" height="${size.height}" role="img" aria-label="${escaped(title)}">
<title>${escaped(title)}</title>
<style>${style}</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path class="tip" d="M0 0.5L8 4L0 7.5z"/></marker></defs>
${arrows.map((arrow) => arrowText(arrow, found(byId, arrow.from), found(byId, arrow.to))).join("\n")}
${placed.map(boxText).join("\n")}
</svg>
`;
}

const style =
  "text{font:14px system-ui,-apple-system,'Segoe UI','Noto Sans CJK SC','PingFang SC',sans-serif;fill:#1f2933}" +
  ".d{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#52606d}.n{font-size:12px;fill:#52606d;paint-order:stroke;stroke:#fff;stroke-width:4px}" +
  "rect{fill:#fff;stroke:#9aa5b1;stroke-width:1.2}.soft rect{fill:#f5f7fa;stroke-dasharray:4 3}.strong rect{fill:#e3f2fd;stroke:#1976d2;stroke-width:1.6}" +
  "path{fill:none;stroke:#7b8794;stroke-width:1.4}.tip{fill:#7b8794;stroke:none}.dash{stroke-dasharray:4 4}" +
  "@media(prefers-color-scheme:dark){text{fill:#e4e7eb}.d,.n{fill:#9aa5b1}.n{stroke:#0d1117}rect{fill:#1f2933;stroke:#616e7c}.soft rect{fill:#161c22}.strong rect{fill:#102a43;stroke:#64b5f6}path{stroke:#7b8794}}";

function boxText({ label, detail, tone, x, y, width, height }: Placed): string {
  const middle = x + width / 2;
  const second =
    detail === undefined
      ? ""
      : `<text class="d" x="${middle}" y="${y + line.padding + line.label + 12}" text-anchor="middle">${escaped(detail)}</text>`;
  return `<g class="${tone ?? "plain"}"><rect x="${x}" y="${y}" width="${width}" height="${height}" rx="7"/><text x="${middle}" y="${y + line.padding + 12}" text-anchor="middle">${escaped(label)}</text>${second}</g>`;
}

function arrowText({ label, dashed = false }: Arrow, from: Placed, to: Placed): string {
  const way = from.x === to.x ? down(from, to) : across(from, to);
  const text =
    label === undefined ? "" : `<text class="n" x="${way.label.x}" y="${way.label.y}" text-anchor="middle">${escaped(label)}</text>`;
  return `<path${dashed ? ' class="dash"' : ""} d="${way.path}" marker-end="url(#tip)"/>${text}`;
}

function across(from: Placed, to: Placed) {
  const back = to.x < from.x;
  const start = { x: back ? from.x : from.x + from.width, y: from.y + from.height / 2 };
  const end = { x: back ? to.x + to.width : to.x, y: to.y + to.height / 2 };
  const bend = (end.x - start.x) / 2;
  const path = `M${start.x} ${start.y}C${start.x + bend} ${start.y} ${end.x - bend} ${end.y} ${end.x} ${end.y}`;
  return { path, label: { x: start.x + bend, y: (start.y + end.y) / 2 - 6 } };
}

function down(from: Placed, to: Placed) {
  const up = to.y < from.y;
  const x = from.x + from.width / 2;
  const [start, end] = up ? [from.y, to.y + to.height] : [from.y + from.height, to.y];
  return { path: `M${x} ${start}L${x} ${end}`, label: { x: x + 40, y: (start + end) / 2 + 4 } };
}

function heightOf({ detail }: Box): number {
  return 2 * line.padding + line.label + (detail === undefined ? 0 : line.detail);
}

/** Roughly: fonts differ. Chinese characters are twice as wide. */
function widthOf({ label, detail = "" }: Box): number {
  return Math.round(Math.max(columnsOf(label) * 7.6, columnsOf(detail) * 7.4, 70) + 28);
}

function columnsOf(text: string): number {
  return [...text].reduce((sum, character) => sum + ((character.codePointAt(0) as number) > 0x2e80 ? 2 : 1), 0);
}

function found(byId: ReadonlyMap<string, Placed>, id: string): Placed {
  const box = byId.get(id);
  if (box === undefined) throw new Error(`no box ${id}`);
  return box;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
