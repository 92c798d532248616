/**
 * The cluster as it changes: the whole report redrawn in a terminal, a line per change elsewhere. Driven by watches, drawn at
 * most a few times a second.
 */
import { endpointSlices, events, ingresses, nodes, pods, services } from "../api/resources.ts";
import type { InformerFactory } from "../client/informer.ts";
import type { Clock } from "../lib/clock.ts";
import { changesBetween, type Change } from "./changes.ts";
import type { Reading } from "./collect.ts";
import type { Paint, Terminal } from "./terminal.ts";

/** Changes within this time are one: a rollout must not flicker. */
const settleMs = 150;

export interface FollowOptions {
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** With the first reading, `before` undefined; then after each burst of changes. */
  readonly onReading: (reading: Reading, before: Reading | undefined) => void;
}

/** Resolves when the signal aborts. The informers are started and synced by whoever owns them. */
export async function followCluster({ informers, clock, signal, onReading }: FollowOptions): Promise<void> {
  const watched = [nodes, pods, services, endpointSlices, events, ingresses].map((resource) => informers.informer(resource as typeof pods));
  const now = (): Reading => ({
    nodes: informers.informer(nodes).lister.list(),
    pods: informers.informer(pods).lister.list(),
    services: informers.informer(services).lister.list(),
    slices: informers.informer(endpointSlices).lister.list(),
    events: informers.informer(events).lister.list(),
    ingresses: informers.informer(ingresses).lister.list(),
  });
  let last: Reading | undefined;
  let waiting: { cancel(): void } | undefined;
  const tell = () => {
    waiting = undefined;
    const reading = now();
    onReading(reading, last);
    last = reading;
  };
  const changed = () => (waiting ??= clock.after(settleMs, tell));
  const stops = watched.map((informer) => informer.addHandlers({ added: changed, updated: changed, deleted: changed }));
  await new Promise<void>((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  waiting?.cancel();
  for (const stop of stops) stop();
}

/** Prints each change as a line with the time of day, until the signal. */
export async function printChanges(options: Omit<FollowOptions, "onReading">, terminal: Terminal): Promise<void> {
  const { clock } = options;
  await followCluster({
    ...options,
    onReading(reading, before) {
      if (before === undefined) return;
      for (const change of changesBetween(before, reading, clock.now()))
        terminal.note(`${terminal.paint.dim(timeOfDay(clock.now()))} ${coloured(change, terminal.paint)}`);
    },
  });
}

/** `14:03:59`, local time. */
function timeOfDay(now: number): string {
  return new Date(now).toTimeString().slice(0, 8);
}

function coloured({ kind, text }: Change, paint: Paint): string {
  switch (kind) {
    case "good":
      return `${paint.green("●")} ${text}`;
    case "bad":
      return `${paint.yellow("●")} ${text}`;
    case "neutral":
      return `${paint.dim("●")} ${text}`;
    default:
      return kind satisfies never;
  }
}

const screen = {
  enter: "\u001b[?1049h\u001b[?25l",
  leave: "\u001b[?25h\u001b[?1049l",
  home: "\u001b[H",
  clearLine: "\u001b[K",
  clearBelow: "\u001b[J",
};

export interface Screen {
  draw(text: string): void;
  close(): void;
}

/** A screen of its own that is drawn over in place; lines that do not fit are counted instead. */
export function createScreen(out: Pick<NodeJS.WriteStream, "write" | "rows">): Screen {
  out.write(screen.enter);
  return {
    draw(text) {
      const lines = text.split("\n");
      const rows = out.rows ?? 24;
      const shown =
        lines.length <= rows ? lines : [...lines.slice(0, rows - 1), `… ${lines.length - rows + 1} more lines: a taller window shows them`];
      out.write(`${screen.home}${shown.map((line) => `${line}${screen.clearLine}`).join("\r\n")}${screen.clearBelow}`);
    },
    close: () => void out.write(screen.leave),
  };
}
