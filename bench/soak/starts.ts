/**
 * Starts and stops a cluster many times, ending it in a different way each time, and counts what is left:
 *   sh bin/node bench/soak/starts.ts [--runs 200] [--mode namespaces|loopback]
 * Ends with code 1 when anything is. Run it on an otherwise idle machine: it counts the whole machine's namespaces and sockets.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { leftovers } from "../../test/support/leftovers.ts";
import { program, repository } from "../../test/support/program.ts";

const { values } = parseArgs({ options: { runs: { type: "string", default: "200" }, mode: { type: "string", default: "namespaces" } } });
const endings = ["SIGTERM", "SIGINT", "SIGKILL"] as const;
const home = mkdtempSync(join(tmpdir(), "fairlead-soak-"));
const fairlead = program(home);
const before = leftovers([home]);
const times: number[] = [];
const gone: number[] = [];

for (let run = 0; run < Number(values.runs); run++) {
  const ending = endings[run % endings.length] as (typeof endings)[number];
  const began = performance.now();
  const args = ["up", "--ephemeral", "--name", "soak", "--mode", values.mode, "--api-port", "0", "--no-check", "-o", "json"];
  const [file, ...rest] = fairlead.command(...args, "-f", join(repository, "examples/webapp"));
  const child = spawn(file, rest, { env: fairlead.env, cwd: home, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await new Promise<void>((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()).trimEnd().endsWith("\n}") && resolve());
    child.once("exit", (code) => reject(new Error(`run ${run}: up ended with ${code}`)));
  });
  times.push(performance.now() - began);
  const { pid } = JSON.parse(readFileSync(join(home, "data/fairlead/running/soak.json"), "utf8")) as { readonly pid: number };
  const killed = performance.now();
  process.kill(pid, ending);
  await ended;
  while (JSON.stringify(leftovers([home])) !== JSON.stringify(before) && performance.now() < killed + 10_000)
    await new Promise((resolve) => setTimeout(resolve, 20));
  if (ending === "SIGKILL") gone.push(performance.now() - killed);
  process.stdout.write(`\r${run + 1} of ${values.runs}`);
}
rmSync(home, { recursive: true, force: true });
const after = leftovers([home]);
const sorted = (list: number[]) => [...list].sort((a, b) => a - b);
const at = (list: number[], share: number) => Math.round(sorted(list)[Math.floor((list.length - 1) * share)] ?? 0);
process.stdout.write(
  `\nstart to ready (ms): median ${at(times, 0.5)}, p99 ${at(times, 0.99)}\nafter kill -9 all gone within (ms): median ${at(gone, 0.5)}, most ${at(gone, 1)}\n`,
);
const same = JSON.stringify(after) === JSON.stringify(before);
process.stdout.write(same ? "nothing is left\n" : `LEFT: ${JSON.stringify({ before, after }, null, 2)}\n`);
process.exitCode = same ? 0 : 1;
