/** A simulation's spread as a picture: a bar for each distribution, by how far traffic goes. SVG; pure. */
import type { Simulation } from "./simulate.ts";
import type { Spread } from "./spread.ts";

const parts = [
  { key: "sameNode", label: "same node", colour: "#2e7d32" },
  { key: "sameZone", label: "same zone", colour: "#81c784" },
  { key: "otherZone", label: "other zone", colour: "#ef8e38" },
  { key: "refused", label: "refused", colour: "#c62828" },
] as const satisfies readonly { readonly key: keyof Spread; readonly label: string; readonly colour: string }[];

const bar = { x: 140, width: 560, height: 26, step: 62, top: 58 };
const width = bar.x + bar.width + 20;

export function picture({ nodes, services, endpoints, spread }: Simulation): string {
  const rows = Object.entries(spread);
  const height = bar.top + rows.length * bar.step;
  const title = `${nodes} nodes, ${services} Services, ${endpoints} endpoints: where traffic goes`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${title}">
<style>text{font:13px system-ui,sans-serif;fill:#1f2933}.s{font-size:11.5px;fill:#52606d}@media(prefers-color-scheme:dark){text{fill:#e4e7eb}.s{fill:#9aa5b1}}</style>
<text x="12" y="22">${title}</text>
${legend()}
${rows.map(([name, of], index) => row(name === "asIs" ? "as it is" : name, of, bar.top + index * bar.step)).join("\n")}
</svg>
`;
}

function legend(): string {
  return parts
    .map(
      ({ label, colour }, i) =>
        `<rect x="${bar.x + i * 110}" y="33" width="11" height="11" fill="${colour}"/><text class="s" x="${bar.x + 16 + i * 110}" y="43">${label}</text>`,
    )
    .join("");
}

function row(name: string, spread: Spread, y: number): string {
  let x = bar.x;
  const boxes = parts.map(({ key, label, colour }) => {
    const length = spread[key] * bar.width;
    const box = `<rect x="${x.toFixed(1)}" y="${y}" width="${length.toFixed(1)}" height="${bar.height}" fill="${colour}"><title>${percent(spread[key])} ${label}</title></rect>`;
    x += length;
    return box;
  });
  const { busiest, overloadedCount } = spread;
  const words = `busiest endpoint: ${busiest.p50.toFixed(1)}× its share (p50 of Services), ${busiest.p95.toFixed(1)}× (p95), ${busiest.most.toFixed(1)}× (most); ${overloadedCount} above 2×`;
  return `<text x="12" y="${y + 18}">${name}</text>${boxes.join("")}<text class="s" x="${bar.x}" y="${y + bar.height + 15}">${words}</text>`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
