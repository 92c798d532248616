/**
 * Bundles what ships into `dist/`: one file for the program, and one for each thread or helper process that has an
 * entry of its own. With `--if-possible` (npm's `prepare`) a machine without the bundler is no error: the launcher
 * then runs the sources. With `--types` (npm's `prepack`) the declarations of the testing library come too; `--out DIR` builds
 * elsewhere.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildWeb } from "./build-web.ts";

const root = join(import.meta.dirname, "..");
/** Bundles, each output name → entry. Those of one bundle share what they have in common. */
const bundles: readonly Readonly<Record<string, string>>[] = [
  { fairlead: "src/cmd/fairlead.ts" },
  { testing: "src/testing/index.ts", "testing-vitest": "src/testing/vitest.ts", "testing-node": "src/testing/node.ts" },
  { "storage-worker": "src/storage/sqlite/worker.ts" },
  { "namespaces-thread": "src/host/namespaces/thread.ts" },
  { "dns-batch": "src/dns/server/batch/thread.ts" },
  { "gateway-thread": "src/gateway/engine/worker/thread.ts" },
  { "capability-probe": "src/host/capabilities/kernel-entry.ts" },
  { agnhost: "examples/agnhost/main.ts" },
];
/** Not ours to bundle: a native module, and the test runner of whoever imports `fairlead/testing/vitest`. */
const external = ["koffi", "vitest"];

export interface BuildOptions {
  /** Default `dist`. */
  readonly out?: string;
  readonly types?: boolean;
}

export async function build({ out = join(root, "dist"), types = false }: BuildOptions = {}): Promise<void> {
  const { rolldown } = await import("rolldown");
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  for (const entries of bundles) {
    const input = Object.fromEntries(Object.entries(entries).map(([name, path]) => [name, join(root, path)]));
    const bundle = await rolldown({ input, platform: "node", external, treeshake: true, logLevel: "warn" });
    await bundle.write({
      dir: out,
      format: "esm",
      entryFileNames: "[name].js",
      // Beside the entries: workers and helpers are found relative to the file that starts them.
      chunkFileNames: "[name]-[hash].js",
      // Lines stay: what goes wrong shows its line, not the whole program.
      minify: { compress: true, mangle: false, codegen: { removeWhitespace: false } },
    });
    await bundle.close();
  }
  await buildWeb(join(out, "web"));
  if (types)
    execFileSync(
      process.execPath,
      [join(root, "node_modules/typescript/bin/tsc"), "-p", join(root, "tsconfig.types.json"), "--outDir", join(out, "types")],
      {
        stdio: "inherit",
      },
    );
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { "if-possible": { type: "boolean" }, types: { type: "boolean" }, out: { type: "string" } } });
  try {
    await build({ types: values.types === true, ...(values.out === undefined ? {} : { out: resolve(values.out) }) });
  } catch (error) {
    if (values["if-possible"] !== true) throw error;
    console.error(`fairlead: not bundled (${(error as Error).message.split("\n")[0]}); the launcher will run the sources.`);
  }
}

if (import.meta.main) await main();
