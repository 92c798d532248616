/**
 * kill -9 of the API server at random moments, under concurrent writers and with a watcher that resumes:
 *   sh bin/node bench/soak/kills.ts [--kills 2000] [--lanes 2] [--seed 1]
 * Ends with code 1 when anything acknowledged is lost, or a watch has a gap or tells anything twice.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundledApiServer } from "../../test/support/bundled-api-server.ts";
import { killRounds, type KillsReport } from "../../test/support/kills/rounds.ts";

const { values } = parseArgs({
  options: { kills: { type: "string", default: "2000" }, lanes: { type: "string", default: "2" }, seed: { type: "string", default: "1" } },
});
const lanes = Number(values.lanes);
const work = mkdtempSync(join(tmpdir(), "fairlead-kills-"));
let done = 0;
/** Whoever has waited long enough gets the report of what was done. */
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
try {
  const { program, env } = await bundledApiServer(work);
  const lane = (number: number): Promise<KillsReport> =>
    killRounds({
      directory: join(work, `lane-${number}`),
      program,
      env,
      kills: Math.ceil(Number(values.kills) / lanes),
      seed: Number(values.seed) * 1000 + number,
      signal: stop.signal,
      onRound: () => process.stderr.write(`\r${++done} kills`),
    });
  const reports = await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  const sum = (of: (report: KillsReport) => number): string =>
    reports.reduce((total, report) => total + of(report), 0).toLocaleString("en");
  console.log(
    `\n${sum((one) => one.kills)} kills (${sum((one) => one.starting)} of them while it started): ${sum((one) => one.acknowledged)} writes acknowledged, ` +
      `${sum((one) => one.unanswered)} cut off unanswered, ${sum((one) => one.events)} events watched, the watch resumed ${sum((one) => one.resumed)} times ` +
      `and listed again ${sum((one) => one.relisted)} times`,
  );
  const faults = reports.flatMap((report) => report.faults);
  console.log(faults.length === 0 ? "nothing acknowledged was lost; no gap, nothing twice" : `FAULTS:\n${faults.slice(0, 50).join("\n")}`);
  if (faults.length > 0) process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
