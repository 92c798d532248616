/** `fairlead simulate`: reads or invents a cluster, and prints what `decide/simulate` says of it. */
import { usualAssumptions } from "../../decide/simulate/dns.ts";
import { picture } from "../../decide/simulate/picture.ts";
import { simulate } from "../../decide/simulate/simulate.ts";
import { inventWorld, worldOf, type World } from "../../decide/simulate/world.ts";
import { readSnapshot, type SnapshotChoice } from "../explain/read-snapshot.ts";
import type { Terminal } from "../terminal.ts";
import { simulationText } from "./simulation-text.ts";

export interface SimulateOptions extends SnapshotChoice {
  /** In place of one that is read. */
  readonly invented?: {
    readonly services: number;
    readonly nodes: number;
    readonly zones: number;
    readonly endpoints: number;
    readonly seed: number;
  };
  /** Of a pod, in a second. */
  readonly lookups: number;
  /** Of the lookups, in [0, 1]. */
  readonly outside: number;
  readonly output: "text" | "json" | "svg";
}

/** Resolves with the exit code, 0. */
export async function simulateCluster(options: SimulateOptions, terminal: Terminal): Promise<number> {
  const { lookups, outside, output } = options;
  const simulation = simulate(await worldFor(options), { ...usualAssumptions, lookups, outside });
  switch (output) {
    case "json":
      terminal.print(JSON.stringify(simulation, null, 2));
      return 0;
    case "svg":
      terminal.print(picture(simulation).trimEnd());
      return 0;
    case "text":
      terminal.print(simulationText(simulation));
      return 0;
    default:
      return output satisfies never;
  }
}

async function worldFor({ invented, ...choice }: SimulateOptions): Promise<World> {
  if (invented === undefined) return worldOf((await readSnapshot(choice)).snapshot);
  return inventWorld({ ...invented, random: seeded(invented.seed) });
}

/** mulberry32: small, and the same everywhere. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
