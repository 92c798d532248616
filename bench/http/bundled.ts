/** `served.ts` as one of the package's programs would be: bundled, with nothing of TypeScript in the process. */
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** Gives the file to run; `directory` is removed by whoever made it. */
export async function bundleServed(directory: string): Promise<string> {
  const { rolldown } = await import("rolldown");
  const input = { served: join(import.meta.dirname, "served.ts"), "gateway-thread": join(root, "src/gateway/engine/worker/thread.ts") };
  const bundle = await rolldown({ input, platform: "node", external: ["koffi"], treeshake: true, logLevel: "warn" });
  await bundle.write({ dir: join(directory, "served"), format: "esm", entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" });
  await bundle.close();
  writeFileSync(join(directory, "package.json"), JSON.stringify({ type: "module" }));
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  return join(directory, "served", "served.js");
}
