/** How long `explain` and the audit take by number of Services; see README.md beside this file. Prints a table; exits 0 whatever the figures are. */
import { parseArgs } from "node:util";
import { audit } from "../../src/decide/explain/audit/audit.ts";
import { explain } from "../../src/decide/explain/explain.ts";
import { inventedCluster } from "./invented.ts";

const { values } = parseArgs({ options: { services: { type: "string", default: "1000,10000" } } });

interface Figures {
  readonly services: number;
  readonly "first answer p50 ms": string;
  readonly "sound mean ms": string;
  readonly "broken mean ms": string;
  readonly "audit p50 ms": string;
  readonly findings: number;
}

/** Of this thread's own CPU time, which the kernel counts in steps of some milliseconds: others may use the machine. */
function timed<T>(work: () => T): { readonly ms: number; readonly result: T } {
  const began = process.threadCpuUsage();
  const result = work();
  const { user, system } = process.threadCpuUsage(began);
  return { ms: (user + system) / 1000, result };
}

const quantile = (times: readonly number[], q: number): string =>
  (times.toSorted((a, b) => a - b)[Math.floor(times.length * q)] ?? 0).toFixed(2);

function measure(services: number): Figures {
  const ask = (snapshot: ReturnType<typeof inventedCluster>, i: number) =>
    explain(snapshot, { target: `http://web-${i}.team-${Math.floor(i / 50)}/`, from: `pod/team-0/web-0-0` });
  // Compiled by other objects than those that are measured, so that the first answer is one of a program that runs.
  for (let i = 0; i < 200; i++) ask(inventedCluster(100), i % 100);
  const snapshot = inventedCluster(services);
  // A copy has no indexes yet.
  const firsts = Array.from({ length: 9 }, (_, k) => timed(() => ask({ ...snapshot }, 7 + 20 * k)).ms);
  const indexes = Array.from({ length: 400 }, (_, k) => (k * 37) % services);
  const mean = (asked: readonly number[]) => timed(() => asked.forEach((i) => ask(snapshot, i))).ms / asked.length;
  const sound = mean(indexes.filter((i) => i % 20 !== 7));
  const broken = mean(indexes.map((i) => (i - (i % 20) + 7) % services));
  const audits = Array.from({ length: 3 }, () => timed(() => audit({ ...snapshot })));
  return {
    services,
    "first answer p50 ms": quantile(firsts, 0.5),
    "sound mean ms": sound.toFixed(2),
    "broken mean ms": broken.toFixed(2),
    "audit p50 ms": quantile(
      audits.map(({ ms }) => ms),
      0.5,
    ),
    findings: audits[0]?.result.findings.length ?? 0,
  };
}

console.table(values.services.split(",").map((count) => measure(Number(count))));
