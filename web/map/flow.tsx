/** The map of some Services: cards in columns, lines between them, traffic as moving dashes. */
import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { ClientCard, EntranceCard, NodeCard, ServiceCards, type CardContext } from "./cards.tsx";
import { FlowCards } from "./flow-cards.tsx";
import { inside, outside, related, type FlowGraph, type FlowLink } from "./graph.ts";
import { layoutFlow, linkPath, type Layout } from "./layout.ts";
import type { Lit } from "./lit.ts";

/** Narrower than that there are no columns. */
const leastColumns = 720;

export interface FlowProps {
  readonly graph: FlowGraph;
  /** What an explanation names; undefined: none is shown. */
  readonly lit: Lit | undefined;
}

export function Flow({ graph, lit }: FlowProps): JSX.Element {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(1000);
  const [pointed, setPointed] = useState<string | undefined>(undefined);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 1000)));
    observer.observe(frame.current as HTMLDivElement);
    return () => observer.disconnect();
  }, []);
  const layout = useMemo(() => layoutFlow(graph, width - 2), [graph, width]);
  const near = useMemo(() => (pointed === undefined ? undefined : related(graph.links, pointed)), [graph, pointed]);
  const dim = (id: string) => (lit === undefined ? near !== undefined && !near.has(id) : !lit.steps.has(id));
  const card: CardContext = { boxOf: (id) => layout.boxes.get(id), dim, lit, point: setPointed };
  if (width < leastColumns) {
    return (
      <div class="flow-frame" ref={frame}>
        <FlowCards graph={graph} lit={lit} />
      </div>
    );
  }
  return (
    <div class="flow-frame" ref={frame}>
      <div class="flow" style={{ width: `${layout.width}px`, height: `${layout.height}px` }}>
        <Lines graph={graph} layout={layout} dim={dim} lit={lit} />
        {layout.labels.map(({ x, y, text }) => (
          <span key={`${x} ${y}`} class="flow-label" style={{ transform: `translate(${x}px, ${y - 10}px)` }}>
            {text}
          </span>
        ))}
        <ClientCard id={outside} title="Outside" detail="clients" card={card} />
        <ClientCard id={inside} title="In cluster" detail="pods, nodes" card={card} />
        {graph.entrances.map((entrance) => (
          <EntranceCard key={entrance.id} entrance={entrance} card={card} />
        ))}
        {graph.services.map((service) => (
          <ServiceCards key={service.id} service={service} more={layout.more.get(service.row.key)} card={card} />
        ))}
        {graph.nodes.map((node) => (
          <NodeCard key={node.id} node={node} card={card} />
        ))}
      </div>
    </div>
  );
}

interface LinesProps {
  readonly graph: FlowGraph;
  readonly layout: Layout;
  readonly dim: (id: string) => boolean;
  readonly lit: Lit | undefined;
}

function Lines({ graph, layout, dim, lit }: LinesProps): JSX.Element {
  return (
    <svg class="flow-lines" width={layout.width} height={layout.height} aria-hidden="true">
      {graph.links.map((link) => {
        const [from, to] = [layout.boxes.get(link.from), layout.boxes.get(link.to)];
        if (from === undefined || to === undefined) return null;
        const faint = dim(link.from) || dim(link.to);
        return (
          <Line key={`${link.from}|${link.to}`} link={link} path={linkPath(from, to)} faint={faint} walked={lit !== undefined && !faint} />
        );
      })}
    </svg>
  );
}

function Line({
  link,
  path,
  faint,
  walked,
}: {
  readonly link: FlowLink;
  readonly path: string;
  readonly faint: boolean;
  readonly walked: boolean;
}) {
  const kind = `line${link.broken ? " broken" : ""}${faint ? " faint" : ""}${walked ? " walked" : ""}`;
  // A busier line is wider, and its dashes go faster.
  const width = 1.4 + Math.min(2.6, Math.log10(1 + link.rate));
  return (
    <>
      <path class={kind} d={path} stroke-width={width} />
      {link.rate > 0 && (
        <path
          class={`flowing${faint ? " faint" : ""}`}
          d={path}
          stroke-width={width}
          style={{ animationDuration: `${speed(link.rate)}s` }}
        />
      )}
    </>
  );
}

const speed = (rate: number): number => Math.max(0.35, 2.4 - Math.log10(1 + rate));
