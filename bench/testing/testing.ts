/** 100 clusters in one Vitest run, beside what envtest starts; see README.md beside this file. Prints one table. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startVitest } from "vitest/node";
import { kubernetes } from "../../test/support/api-servers.ts";

const directory = mkdtempSync(join(tmpdir(), "fairlead-bench-testing-"));
const figures = join(directory, "figures.json");
try {
  process.env["FIGURES"] = figures;
  const vitest = await startVitest("test", [], {
    config: false,
    root: import.meta.dirname,
    watch: false,
    include: ["clusters.vitest.ts"],
    execArgv: ["--expose-gc"],
    reporters: ["dot"],
  });
  await vitest.close();
  const found = JSON.parse(readFileSync(figures, "utf8")) as Readonly<Record<string, readonly number[]>>;
  for (const [name, list] of [
    ["start", found["starts"]],
    ["first answer", found["answers"]],
    ["stop", found["stops"]],
  ] as const)
    row(name, `median ${milliseconds(quantile(list, 0.5))}, 95 % under ${milliseconds(quantile(list, 0.95))}`);
  row("100 at once", milliseconds(found["together"]?.[0]));
  row("memory each", `${megabytes(found["rss"]?.[0])} resident, ${megabytes(found["heap"]?.[0])} of it objects of JavaScript`);
  await besideEnvtest();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function besideEnvtest(): Promise<void> {
  const { KUBE_APISERVER: apiserver, ETCD: etcd } = process.env;
  if (apiserver === undefined || etcd === undefined) return row("envtest", "name the programs with $KUBE_APISERVER and $ETCD");
  const starts: number[] = [];
  for (let i = 0; i < 5; i++) {
    const home = join(directory, `envtest-${i}`);
    mkdirSync(home);
    const server = await kubernetes({ apiserver, etcd }).start(home);
    starts.push(server.startup);
    if (i === 4) row("envtest, memory", megabytes(server.memory()));
    await server.stop();
  }
  row("envtest", `median of 5 ${milliseconds(quantile(starts, 0.5))}`);
}

function quantile(list: readonly number[] | undefined, share: number): number | undefined {
  const sorted = [...(list ?? [])].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

function milliseconds(value: number | undefined): string {
  return `${value?.toFixed(0) ?? "?"} ms`;
}

function megabytes(bytes: number | undefined): string {
  return `${((bytes ?? Number.NaN) / 1e6).toFixed(1)} MB`;
}

function row(name: string, text: string): void {
  process.stdout.write(`${name.padEnd(16)} ${text}\n`);
}
