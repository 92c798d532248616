/** Whatever way it ends, nothing of a cluster stays: no process, namespace, mount, link or socket. `bench/soak/starts.ts` does it 200 times. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { ClusterFile } from "../../src/cli/cluster-file.ts";
import { leftovers, type Leftovers } from "../support/leftovers.ts";
import { ways } from "../support/modes.ts";
import type { Program } from "../support/program.ts";

async function settled(marks: readonly string[], before: Leftovers): Promise<Leftovers> {
  const end = performance.now() + 5000;
  for (;;) {
    const now = leftovers(marks);
    if (JSON.stringify(now) === JSON.stringify(before) || performance.now() > end) return now;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

for (const way of ways) {
  describe(way.name, () => {
    let opened: Program | undefined;
    afterEach(() => {
      if (opened !== undefined) way.discard(opened);
      opened = undefined;
    });

    for (const ending of ["down", "SIGINT", "SIGKILL of the cluster", "SIGKILL of what was started"] as const) {
      test(`nothing is left after ${ending}`, { timeout: 90_000 }, async (context) => {
        if (way.missing !== undefined) return context.skip(way.missing);
        opened = way.open();
        const marks = [opened.home];
        const before = leftovers(marks);
        const args = [
          "up",
          "--ephemeral",
          "--name",
          "leaks",
          "--mode",
          way.mode,
          "--api-port",
          "0",
          "-o",
          "json",
          "-f",
          join(opened.root, "examples/webapp"),
        ];
        const [file, ...rest] = opened.command(...args);
        const child = spawn(file, rest, { env: opened.env, cwd: opened.home, stdio: ["ignore", "pipe", "pipe"] });
        const ended = new Promise((resolve) => child.once("exit", resolve));
        const report = await new Promise<string>((resolve, reject) => {
          let text = "";
          let errors = "";
          child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()).trimEnd().endsWith("\n}") && resolve(text));
          child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
          child.once("exit", (code) => reject(new Error(`up ended with ${code}: ${errors}`)));
        });
        expect(JSON.parse(report)).toMatchObject({ mode: way.mode });
        const { pid } = JSON.parse(readFileSync(join(opened.home, "data/fairlead/running/leaks.json"), "utf8")) as ClusterFile;
        switch (ending) {
          case "down":
            expect((await opened.run("down", "--name", "leaks")).code).toBe(0);
            break;
          case "SIGINT":
            process.kill(pid, "SIGINT");
            break;
          case "SIGKILL of the cluster":
            process.kill(pid, "SIGKILL");
            break;
          case "SIGKILL of what was started":
            child.kill("SIGKILL");
            break;
          default:
            ending satisfies never;
        }
        await ended;
        expect(await settled(marks, before)).toEqual(before);
      });
    }
  });
}
