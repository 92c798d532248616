/**
 * The bundle of the console. Decisions are the server's own files; the few things of Node that they use have stand-ins in `platform`.
 */
import { join } from "node:path";
import { defineConfig, type Plugin } from "vite";

const here = import.meta.dirname;

interface StandIn {
  readonly importer: string;
  readonly source: RegExp;
  readonly file: string;
}

/** What decisions import of Node → what the browser has for it. */
const standIns: readonly StandIn[] = [
  { importer: "/src/", source: /^node:crypto$/, file: "platform/crypto.ts" },
  { importer: "/src/decide/routes/", source: /^\.\.?\/pattern\.ts$/, file: "platform/pattern.ts" },
];

const platform: Plugin = {
  name: "fairlead-platform",
  enforce: "pre",
  resolveId(source, importer) {
    if (importer === undefined || !importer.includes("/src/")) return undefined;
    const found = standIns.find((each) => each.source.test(source) && importer.includes(each.importer));
    if (found !== undefined) return join(here, found.file);
    if (source.startsWith("node:")) throw new Error(`${importer} imports ${source}: decisions run in the browser too`);
    return undefined;
  },
};

export default defineConfig({
  root: here,
  base: "/",
  logLevel: "warn",
  clearScreen: false,
  plugins: [platform],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: join(here, "../dist/web"),
    emptyOutDir: true,
    target: "es2024",
    modulePreload: false,
    reportCompressedSize: false,
    assetsInlineLimit: 0,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
});
