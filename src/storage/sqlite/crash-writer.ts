/**
 * Writes without end and prints each write that the store acknowledged, until somebody kills it: what the crash test
 * runs. `crash-writer.ts DIRECTORY ROUND`
 */
import { writeSync } from "node:fs";
import { createSqliteBackend } from "./sqlite-backend.ts";

const [directory, round] = process.argv.slice(2) as [string, string];
const backend = createSqliteBackend({ directory });
await backend.open();

async function write(writer: number): Promise<never> {
  for (let i = 0, revision = 0; ; i++) {
    // Every tenth key is removed again, the others are written twice.
    const key = `/${round}/${writer}/${Math.floor(i / 2)}`;
    const removes = i % 20 === 19;
    const value = removes ? null : new TextEncoder().encode(`${key} ${i % 2} ${"x".repeat(500)}`);
    const result = await backend.write({ key, value, expect: i % 2 === 0 ? 0 : revision });
    if (result.kind !== "ok") throw new Error(`unexpected conflict on ${key}`);
    revision = result.revision;
    // Straight to the pipe: what is printed was acknowledged, and nothing waits in a buffer that the kill would empty.
    await say(`${JSON.stringify([key, removes ? 0 : revision])}\n`);
  }
}

/** A pipe that is full takes the line a little later; it is short enough to go in whole. */
async function say(line: string): Promise<void> {
  for (;;) {
    try {
      writeSync(1, line);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
