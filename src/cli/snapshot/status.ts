/** `fairlead snapshot status FILE`: what is in it, and whether it is whole. */
import { createReadStream } from "node:fs";
import type { Output } from "../options.ts";
import type { Terminal } from "../terminal.ts";
import { described, summaryOf } from "./summary.ts";

/** Throws FL_SNAPSHOT. */
export async function status(file: string, output: Output, terminal: Terminal): Promise<number> {
  const summary = await summaryOf(createReadStream(file));
  if (output === "json") terminal.print(JSON.stringify(summary, null, 2));
  else {
    const width = Math.max(...Object.keys(summary.resources).map((name) => name.length));
    const rows = Object.entries(summary.resources).map(([name, count]) => `  ${name.padEnd(width)}  ${count}`);
    terminal.print([described(summary), ...rows].join("\n"));
  }
  return 0;
}
