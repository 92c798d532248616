/** The page's files as the build has left them, each with its compressed forms beside it. Read once. */
import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { FairleadError } from "../lib/errors.ts";

export interface Asset {
  readonly type: string;
  /** Its name has a hash of its content. */
  readonly immutable: boolean;
  /** By content coding; `identity` always. */
  readonly forms: ReadonlyMap<string, Buffer>;
}

/** By path: `/assets/index-1a2b.js`; the page itself at `/`. */
export type Assets = ReadonlyMap<string, Asset>;

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Beside the bundled program, or in the `dist` of a clone. */
function usualDirectory(): string {
  const bundled = join(import.meta.dirname, "web");
  return existsSync(bundled) ? bundled : join(import.meta.dirname, "../../dist/web");
}

/** Throws FL_CONFIG where the page has not been built. */
export async function loadAssets(directory = usualDirectory()): Promise<Assets> {
  if (!existsSync(join(directory, "index.html"))) {
    throw new FairleadError("FL_CONFIG", `the console's page is not in ${directory}`, {
      hint: "Build it in the clone: npm run build. Installed packages have it.",
    });
  }
  const assets = new Map<string, Asset>();
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    const type = types[extname(name)];
    if (type !== undefined) assets.set(name === "index.html" ? "/" : `/${name}`, await readAsset(join(directory, name), type));
  }
  return assets;
}

async function readAsset(path: string, type: string): Promise<Asset> {
  const forms = new Map([["identity", await readFile(path)]]);
  for (const [coding, end] of [
    ["br", ".br"],
    ["gzip", ".gz"],
  ] as const)
    if (existsSync(path + end)) forms.set(coding, await readFile(path + end));
  return { type, immutable: path.includes("/assets/"), forms };
}

/** Paths of the page's own views lead to the page; anything with an ending is a file or is not there. */
export function assetAt(assets: Assets, path: string): Asset | undefined {
  return assets.get(path) ?? (/\.\w+$/.test(path) ? undefined : assets.get("/"));
}

/** The smallest form that the client takes (RFC 9110 12.5.3; `q=0` refuses). */
export function formOf({ forms }: Asset, accept: string | undefined): { readonly coding: string; readonly bytes: Buffer } {
  for (const coding of ["br", "gzip"]) {
    const bytes = forms.get(coding);
    const takes = new RegExp(String.raw`(?:^|,)\s*${coding}\s*(?:$|,|;\s*q=(?!0(?:\.0*)?\s*(?:,|$)))`).test(accept ?? "");
    if (bytes !== undefined && takes) return { coding, bytes };
  }
  return { coding: "identity", bytes: forms.get("identity") as Buffer };
}
