/**
 * Records the first minute of a new user: the commands of the README, typed into a real terminal. Writes `docs/first-minute.cast`
 * (asciicast v2: `asciinema play` shows it) and `docs/first-minute.svg`. Run from a clone after `npm ci`:
 *   sh bin/node scripts/recording/record.ts
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findKubectls } from "../../test/support/kubectl.ts";
import { picture } from "./svg.ts";
import { transcript, type OutputEvent } from "./transcript.ts";

const root = join(import.meta.dirname, "../..");
const size = { columns: 118, rows: 34 };
const home = mkdtempSync(join(tmpdir(), "fairlead-recording-"));
const kubectl = findKubectls().at(-1)?.path;

const commands: readonly string[] = [
  "fairlead up --detach --no-check -f examples/webapp",
  "export KUBECONFIG=$(fairlead kubeconfig --path)",
  ...(kubectl === undefined ? [] : ["kubectl -n shop get pods,services"]),
  "fairlead run -n shop -- curl -s http://webapp:8080",
  "fairlead run -n shop -- curl -s http://store-1.store:8080",
  "curl -s http://webapp.localhost:$PORT/",
  // Somebody mistypes a selector: what comes of it, why, and what mends it.
  ...(kubectl === undefined ? [] : ["kubectl -n shop set selector service/webapp app=webap"]),
  "fairlead explain http://webapp.shop:8080",
  "fairlead down",
];

const events: OutputEvent[] = [];
let clock = 0;
/** Nobody wants to watch a wait: pauses longer than this are cut. */
const longestPause = 0.6;

function type(text: string): void {
  events.push({ at: (clock += 0.7), data: "\u001b[1m\u001b[36m$\u001b[39m\u001b[22m " });
  for (const character of text) events.push({ at: (clock += 0.03), data: character });
  events.push({ at: (clock += 0.25), data: "\r\n" });
}

/** Through `script` (util-linux), so that the program sees a terminal. */
function run(command: string, env: NodeJS.ProcessEnv): Promise<void> {
  const inner = `stty cols ${size.columns} rows ${size.rows}; ${command}`;
  const child = spawn("script", ["-qec", `bash -c ${JSON.stringify(inner).replaceAll("$", "\\$")}`, "/dev/null"], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let last = performance.now();
  child.stdout.on("data", (chunk: Buffer) => {
    const now = performance.now();
    clock += Math.min((now - last) / 1000, longestPause);
    last = now;
    events.push({ at: clock, data: chunk.toString() });
  });
  return new Promise((resolve) => child.once("exit", () => resolve()));
}

const state = join(home, "variables");
const env: NodeJS.ProcessEnv = {
  PATH: `${join(root, "bin")}:${home}:${process.env["PATH"]}`,
  HOME: home,
  XDG_DATA_HOME: join(home, "data"),
  TERM: "xterm-256color",
  LANG: "C.UTF-8",
};
if (kubectl !== undefined) writeFileSync(join(home, "kubectl"), `#!/bin/sh\nexec ${kubectl} "$@"\n`, { mode: 0o755 });
writeFileSync(state, "export PORT=80\n");
for (const command of commands) {
  type(command);
  // A shell of its own for each command; what it exports is kept for the next.
  const keep = command.startsWith("export ") ? `; declare -p KUBECONFIG >> ${state}` : "";
  await run(`. ${state}; ${command}${keep}`, env);
}
rmSync(home, { recursive: true, force: true });

const hidden = (data: string) => data.replaceAll(home, "/home/you").replaceAll(root, "/home/you/fairlead");
const shown = events.map(({ at, data }) => ({ at, data: hidden(data) }));
const header = { version: 2, width: size.columns, height: size.rows, title: "Fairlead: the first minute" };
writeFileSync(
  join(root, "docs/first-minute.cast"),
  `${[header, ...shown.map(({ at, data }) => [Number(at.toFixed(3)), "o", data])].map((line) => JSON.stringify(line)).join("\n")}\n`,
);
writeFileSync(join(root, "docs/first-minute.svg"), picture(transcript(shown), { ...size, title: header.title, rest: 6 }));
process.stdout.write(`${shown.length} events, ${clock.toFixed(1)} s\n`);
