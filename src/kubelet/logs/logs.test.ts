import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { FakeClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { readLog } from "./log-reader.ts";
import { LogWriter } from "./log-writer.ts";

const directory = mkdtempSync(join(tmpdir(), "fairlead-logs-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const maxBytes = 2000;
const everything = { follow: false, timestamps: false };

function writerOf(name: string): LogWriter {
  return new LogWriter({ file: join(directory, name), clock: new FakeClock(), log: silentLogger, maxBytes });
}

async function read(writer: LogWriter, options: Parameters<typeof readLog>[2] = everything): Promise<string> {
  const pieces = await Array.fromAsync(readLog(writer.file, writer, options, new AbortController().signal));
  return Buffer.concat(pieces).toString("utf8");
}

test("a log takes at most twice its limit, and the newest lines are kept", async () => {
  const writer = writerOf("limited");
  for (let i = 0; i < 500; i++) {
    const onDisk = new Promise<void>((resolve) => {
      const stop = writer.follow(() => (stop(), resolve()));
    });
    void writer.write("stdout", Buffer.from(`line ${i}\n`));
    await onDisk;
  }
  await writer.end();
  expect(writer.rotations).toBeGreaterThan(2);
  for (const file of [writer.file, `${writer.file}.1`]) expect(statSync(file).size).toBeLessThanOrEqual(maxBytes);
  expect(await read(writer)).toMatch(/line 498\nline 499\n$/);
  expect(await read(writer, { ...everything, tailLines: 2 })).toBe("line 498\nline 499\n");
});

test("whoever follows a log gets every line, although its file is moved away again and again", { timeout: 30_000 }, async () => {
  const writer = writerOf("followed");
  const seen: string[] = [];
  let wake = () => {};
  const reading = (async () => {
    for await (const piece of readLog(writer.file, writer, { ...everything, follow: true }, new AbortController().signal)) {
      seen.push(Buffer.from(piece).toString("utf8").trim());
      wake();
    }
  })();
  const written: string[] = [];
  for (let burst = 0; burst < 120; burst++) {
    // Less than a file, so that one moves away at most before the reader has caught up.
    for (let i = 0; i < 1 + ((burst * 7) % 20); i++) {
      written.push(`burst ${burst} line ${i}`);
      void writer.write(i % 2 === 0 ? "stdout" : "stderr", Buffer.from(`${written.at(-1)}\n`));
      if (burst % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    while (seen.length < written.length) await new Promise<void>((resolve) => (wake = resolve));
  }
  await writer.end();
  await reading;
  expect(seen).toEqual(written);
  expect(writer.rotations).toBeGreaterThan(10);
});
