/**
 * Bundles what ships into `dist/`: one file for the program, and one for each thread or helper process that has an
 * entry of its own. With `--if-possible` (npm's `prepare`) a machine without the bundler is no error: the launcher
 * then runs the sources. With `--types` (npm's `prepack`) the declarations of the testing library come too.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** output name → entry */
const entries: Readonly<Record<string, string>> = {
  fairlead: "src/cmd/fairlead.ts",
  testing: "src/testing/index.ts",
  "storage-worker": "src/storage/sqlite/worker.ts",
};

async function build(): Promise<void> {
  const { rolldown } = await import("rolldown");
  const out = join(root, "dist");
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  for (const [name, input] of Object.entries(entries)) {
    const bundle = await rolldown({ input: join(root, input), platform: "node", external: ["koffi"], treeshake: true, logLevel: "warn" });
    await bundle.write({
      dir: out,
      format: "esm",
      entryFileNames: `${name}.js`,
      // Beside the entries: workers and helpers are found relative to the file that starts them.
      chunkFileNames: "[name]-[hash].js",
      minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
    });
    await bundle.close();
  }
  if (process.argv.includes("--types"))
    execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", join(root, "tsconfig.types.json")], {
      stdio: "inherit",
    });
}

try {
  await build();
} catch (error) {
  if (!process.argv.includes("--if-possible")) throw error;
  console.error(`fairlead: not bundled (${(error as Error).message.split("\n")[0]}); the launcher will run the sources.`);
}
