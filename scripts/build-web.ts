/** Builds the console's page, each file with its compressed forms beside it: the server compresses nothing while it serves. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import config from "../web/vite.config.ts";

export async function buildWeb(out: string): Promise<void> {
  const { build } = await import("vite");
  await build({ ...config, configFile: false, build: { ...config.build, outDir: out } });
  for (const name of readdirSync(out, { recursive: true, encoding: "utf8" })) {
    if (/\.(?:html|js|css|svg)$/.test(name)) compress(join(out, name));
  }
}

function compress(path: string): void {
  const bytes = readFileSync(path);
  writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
  writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }));
}
