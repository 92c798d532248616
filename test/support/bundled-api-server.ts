/** The API server alone, bundled: it starts several times faster than its sources. */
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

export interface BundledProgram {
  readonly program: string;
  /** To be given to Node before it, and to be set for it, as `bin/fairlead` does: what V8 compiled in one life is there in the next one. */
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export async function bundledApiServer(directory: string): Promise<BundledProgram> {
  const { rolldown } = await import("rolldown");
  for (const [name, input] of [
    ["api-server", "test/support/api-server-program.ts"],
    ["storage-worker", "src/storage/sqlite/worker.ts"],
  ] as const) {
    const bundle = await rolldown({ input: join(root, input), platform: "node", external: ["koffi"], logLevel: "warn" });
    await bundle.write({
      dir: join(directory, "program"),
      format: "esm",
      entryFileNames: `${name}.js`,
      chunkFileNames: "[name]-[hash].js",
    });
    await bundle.close();
  }
  return {
    program: join(directory, "program", "api-server.js"),
    flags: ["--max-semi-space-size=8"],
    env: { NODE_COMPILE_CACHE: join(directory, "compiled"), MALLOC_ARENA_MAX: "2", MALLOC_TRIM_THRESHOLD_: "131072" },
  };
}
