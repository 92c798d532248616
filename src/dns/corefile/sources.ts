/** What a Corefile may refer to outside itself: the environment and files. */
import { globSync, readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";

export interface CorefileSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Throws as `fs.readFileSync` does. */
  readFile(path: string): string;
  /** When the file was last written, in ms since the epoch; undefined when that cannot be told. */
  modified?(path: string): number | undefined;
  /** Paths, sorted. */
  glob(pattern: string): readonly string[];
}

export const systemSources: CorefileSources = {
  env: process.env,
  readFile: (path) => readFileSync(path, "utf8"),
  modified: (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs,
  glob: (pattern) => globSync(pattern).sort(),
};

/** A path in a Corefile is relative to that file. */
export function besideFile(file: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(resolve(file)), path);
}

/** `{$NAME}` and `{%NAME%}`; a variable that is not set is empty. */
export function expandVariables(text: string, env: CorefileSources["env"]): string {
  if (!text.includes("{")) return text;
  return text
    .replace(/\{%([^%]+)%\}/g, (_, name: string) => env[name] ?? "")
    .replace(/\{\$([^}]+)\}/g, (_, name: string) => env[name] ?? "");
}

/** A path that a directive names: below `root` where the block has one, else beside the Corefile. */
export function blockPath(
  { root, configuration }: { readonly root: string | undefined; readonly configuration: { readonly file: string } },
  path: string,
): string {
  if (isAbsolute(path)) return path;
  return root === undefined ? besideFile(configuration.file, path) : join(root, path);
}
