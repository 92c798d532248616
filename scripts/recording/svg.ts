/** A recording as a picture that moves by itself (SVG with CSS animations): GitHub shows it in a README. Pure. */
import type { Span, TimedLine } from "./transcript.ts";

export interface PictureOptions {
  readonly columns: number;
  readonly rows: number;
  readonly title: string;
  /** Seconds that the last picture stays before it begins anew. */
  readonly rest: number;
}

const cell = { width: 7.8, height: 17 };
const margin = 14;
const bar = 28;
const colours: Readonly<Record<number, string>> = { 31: "#f47067", 32: "#57ab5a", 33: "#daaa3f", 36: "#56b6c2" };

export function picture(lines: readonly TimedLine[], { columns, rows, title, rest }: PictureOptions): string {
  const width = Math.ceil(columns * cell.width + 2 * margin);
  const height = rows * cell.height + 2 * margin + bar;
  const length = (lines.at(-1)?.at ?? 0) + rest;
  const share = (at: number) => ((at / length) * 100).toFixed(2);
  // A line appears at its time and stays; the whole text moves up a line whenever the window is full.
  const scroll = lines.flatMap(({ at }, index) =>
    index < rows ? [] : [`${share(at)}%{transform:translateY(-${(index - rows + 1) * cell.height}px)}`],
  );
  const appear = lines.map(
    ({ at }, index) => `@keyframes l${index}{0%,${share(Math.max(0, at - 0.01))}%{opacity:0}${share(at)}%,100%{opacity:1}}`,
  );
  const texts = lines.map(
    ({ spans }, index) =>
      `<text y="${(index + 1) * cell.height}" style="animation:l${index} ${length.toFixed(1)}s step-end infinite" xml:space="preserve">${spans.map(spanText).join("")}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}">
<style>text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#adbac7}.b{font-weight:600;fill:#cdd9e5}.d{opacity:.65}${appear.join("")}@keyframes s{0%{transform:translateY(0)}${scroll.join("")}100%{transform:translateY(-${Math.max(0, lines.length - rows) * cell.height}px)}}.s{animation:s ${length.toFixed(1)}s step-end infinite}</style>
<rect width="${width}" height="${height}" rx="8" fill="#22272e"/><circle cx="18" cy="15" r="5" fill="#f47067"/><circle cx="36" cy="15" r="5" fill="#daaa3f"/><circle cx="54" cy="15" r="5" fill="#57ab5a"/>
<text x="${width / 2}" y="19" text-anchor="middle">${escaped(title)}</text>
<svg x="${margin}" y="${bar + margin - 4}" width="${width - 2 * margin}" height="${rows * cell.height + 6}"><g class="s">
${texts.join("\n")}
</g></svg>
</svg>
`;
}

function spanText({ text, styles }: Span): string {
  const classes = [styles.includes(1) ? "b" : "", styles.includes(2) ? "d" : ""].filter(Boolean).join(" ");
  const colour = styles.map((style) => colours[style]).find((found) => found !== undefined);
  const attributes = `${classes === "" ? "" : ` class="${classes}"`}${colour === undefined ? "" : ` style="fill:${colour}"`}`;
  return attributes === "" ? escaped(text) : `<tspan${attributes}>${escaped(text)}</tspan>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
