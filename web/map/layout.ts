/** Where everything of the map stands. Pure: the same graph and width give the same places. */
import { inside, outside, type FlowEndpoint, type FlowEntrance, type FlowGraph, type FlowNode, type FlowService } from "./graph.ts";

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Label {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly boxes: ReadonlyMap<string, Box>;
  /** Names of namespaces and zones. */
  readonly labels: readonly Label[];
  /** The rows that say how many endpoints more there are, by Service. */
  readonly more: ReadonlyMap<string, Box>;
}

const fullSize = { client: 88, entrance: 192, service: 226, endpoint: 268, node: 140 } as const;
type Sizes = Readonly<Record<keyof typeof fullSize, number>>;
const heights = { client: 52, entrance: 52, service: 60, endpoint: 30, node: 46 } as const;
const gaps = { block: 22, endpoint: 6, entrance: 12, label: 26, zone: 30 } as const;
const top = 34;
/** Below it names could not be read: the map then scrolls. */
const leastScale = 0.7;
const leastGap = 20;

export function layoutFlow(graph: FlowGraph, wanted: number): Layout {
  const { x, size, width } = columns(wanted, graph.entrances.length > 0);
  const boxes = new Map<string, Box>();
  const labels: Label[] = [];
  const more = new Map<string, Box>();
  const servicesEnd = placeServices(graph.services, x, size, { boxes, labels, more });
  const centre = (id: string) => middle(boxes.get(id));
  const entrancesEnd = placeColumn(graph.entrances, (each) => mean(each.services.map((key) => centre(`Service ${key}`))), {
    x: x.entrance,
    width: size.entrance,
    height: heights.entrance,
    gap: gaps.entrance,
    boxes,
  });
  const nodesEnd = placeNodes(
    graph.nodes,
    graph.services.flatMap(({ endpoints }) => endpoints),
    { x: x.node, width: size.node },
    { boxes, labels },
  );
  const height = Math.max(servicesEnd, entrancesEnd, nodesEnd, 200) + 12;
  placeClients(graph, { x: x.client, width: size.client }, boxes);
  return { width, height, boxes, labels, more };
}

interface Columns {
  readonly x: Sizes;
  readonly size: Sizes;
  readonly width: number;
}

/** Cards shrink before the map becomes wider than its frame. Without entrances their column is not there, and the others have its room. */
function columns(wanted: number, hasEntrances: boolean): Columns {
  const order = ["client", ...(hasEntrances ? (["entrance"] as const) : []), "service", "endpoint", "node"] as const;
  const gaps = order.length - 1;
  const full = order.reduce((sum, name) => sum + fullSize[name], 0);
  const scale = Math.max(leastScale, Math.min(1, (wanted - gaps * leastGap) / full));
  const size = Object.fromEntries(Object.entries(fullSize).map(([name, value]) => [name, Math.floor(value * scale)])) as unknown as Sizes;
  const taken = order.reduce((sum, name) => sum + size[name], 0);
  const width = Math.max(wanted, taken + gaps * leastGap);
  const gap = Math.min((width - taken) / gaps, 150);
  let at = (width - taken - gap * gaps) / 2;
  const x: Record<keyof Sizes, number> = { client: 0, entrance: 0, service: 0, endpoint: 0, node: 0 };
  for (const name of order) {
    x[name] = at;
    at += size[name] + gap;
  }
  return { x, size, width };
}

interface Placed {
  readonly boxes: Map<string, Box>;
  readonly labels: Label[];
  readonly more: Map<string, Box>;
}

function placeServices(services: readonly FlowService[], x: Sizes, size: Sizes, { boxes, labels, more }: Placed): number {
  let y = top;
  let namespace: string | undefined;
  for (const { id, row, endpoints, more: hidden } of services) {
    if (row.namespace !== namespace) {
      namespace = row.namespace;
      labels.push({ x: x.service, y: y + 12, text: namespace });
      y += gaps.label;
    }
    const lines = endpoints.length + (hidden > 0 ? 1 : 0);
    const stack = lines * heights.endpoint + Math.max(0, lines - 1) * gaps.endpoint;
    const block = Math.max(heights.service, stack);
    boxes.set(id, { x: x.service, y: y + (block - heights.service) / 2, width: size.service, height: heights.service });
    let at = y + (block - stack) / 2;
    for (const endpoint of endpoints) {
      boxes.set(endpoint.id, { x: x.endpoint, y: at, width: size.endpoint, height: heights.endpoint });
      at += heights.endpoint + gaps.endpoint;
    }
    if (hidden > 0) more.set(row.key, { x: x.endpoint, y: at, width: size.endpoint, height: heights.endpoint });
    y += block + gaps.block;
  }
  return y;
}

interface ColumnPlace {
  readonly x: number;
  readonly width: number;
  readonly height: number;
  readonly gap: number;
  readonly boxes: Map<string, Box>;
}

/** Each as near to where it leads as those before it let it. Gives where the column ends. */
function placeColumn<T extends FlowEntrance | FlowNode>(items: readonly T[], wish: (item: T) => number, place: ColumnPlace): number {
  const { x, width, height, gap, boxes } = place;
  const wishes = items.map((item) => ({ item, at: wish(item) })).sort((a, b) => a.at - b.at);
  let y = top;
  for (const { item, at } of wishes) {
    y = Math.max(y, at - height / 2);
    boxes.set(item.id, { x, y, width, height });
    y += height + gap;
  }
  return y;
}

function placeNodes(
  nodes: readonly FlowNode[],
  endpoints: readonly FlowEndpoint[],
  { x, width }: Pick<Box, "x" | "width">,
  { boxes, labels }: Pick<Placed, "boxes" | "labels">,
): number {
  const zones = Map.groupBy(nodes, ({ zone }) => zone);
  const wishes = [...zones].map(([zone, members]) => {
    const own = new Set(members.map(({ name }) => name));
    const at = mean(endpoints.filter(({ node }) => node !== undefined && own.has(node)).map(({ id }) => middle(boxes.get(id))));
    return { zone, members, at: at - (members.length * (heights.node + 8)) / 2 };
  });
  let y = top;
  for (const { zone, members, at } of wishes.sort((a, b) => a.at - b.at)) {
    y = Math.max(y, at - gaps.label);
    labels.push({ x, y: y + 12, text: zone === "" ? "nodes" : `zone ${zone}` });
    y += gaps.label;
    for (const { id } of members) {
      boxes.set(id, { x, y, width, height: heights.node });
      y += heights.node + 8;
    }
    y += gaps.zone - 8;
  }
  return y;
}

/** Clients stand at the height of what they reach. */
function placeClients({ links }: FlowGraph, { x, width }: Pick<Box, "x" | "width">, boxes: Map<string, Box>): void {
  const reach = (client: string) => mean(links.filter(({ from }) => from === client).map(({ to }) => middle(boxes.get(to))));
  const clients = [outside, inside].filter((client) => links.some(({ from }) => from === client));
  let y = top;
  for (const client of clients.sort((a, b) => reach(a) - reach(b))) {
    y = Math.max(y, reach(client) - heights.client / 2);
    boxes.set(client, { x, y, width, height: heights.client });
    y += heights.client + gaps.entrance;
  }
}

function middle(box: Box | undefined): number {
  return box === undefined ? top : box.y + box.height / 2;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? top : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** From the right edge of one box to the left edge of another. */
export function linkPath(from: Box, to: Box): string {
  const [x1, y1, x2, y2] = [from.x + from.width, from.y + from.height / 2, to.x, to.y + to.height / 2];
  const bend = Math.max(18, (x2 - x1) * 0.45);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}
