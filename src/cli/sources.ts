/** Finds and reads the manifest files that `-f` names: files, directories (not below them), `-` for standard input. */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { errnoCode, FairleadError } from "../lib/errors.ts";

export interface Source {
  /** As the user knows it: the path given, or `standard input`. */
  readonly name: string;
  readonly text: string;
}

/** The endings that kubectl reads in a directory (cli-runtime `resource.FileExtensions`). */
const endings = [".json", ".yaml", ".yml"];

const maxBytes = 64 * 1024 * 1024;

/** The files behind the arguments, in order; a directory's files by name. Throws FL_MANIFEST for what is not there. */
export function sourceFiles(args: readonly string[]): readonly string[] {
  return args.flatMap((arg) => {
    if (arg === "-") return [arg];
    if (/^https?:\/\//.test(arg)) {
      throw new FairleadError("FL_UNSUPPORTED", `${arg}: manifests are not fetched from the network`, {
        hint: `Pipe it in: curl -fsSL ${arg} | fairlead up -f -`,
      });
    }
    const stat = statSync(arg, { throwIfNoEntry: false });
    if (stat === undefined)
      throw new FairleadError("FL_MANIFEST", `${arg}: no such file or directory`, { hint: `Paths are relative to ${process.cwd()}.` });
    if (!stat.isDirectory()) return [arg];
    const files = readdirSync(arg)
      .filter((name) => endings.some((ending) => name.endsWith(ending)))
      .sort()
      .map((name) => join(arg, name));
    if (files.length === 0)
      throw new FairleadError("FL_MANIFEST", `${arg}: no manifests here`, {
        hint: `A directory is searched for ${endings.join(", ")} files, not below it.`,
      });
    return files;
  });
}

export function readSource(path: string): Source {
  if (path === "-") return { name: "standard input", text: readStdin() };
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > maxBytes) throw new FairleadError("FL_MANIFEST", `${path}: ${size} bytes; a manifest file may have ${maxBytes}`);
  try {
    return { name: path, text: readFileSync(path, "utf8") };
  } catch (error) {
    throw new FairleadError("FL_MANIFEST", `${path}: cannot be read (${errnoCode(error) ?? "unknown error"})`, { cause: error });
  }
}

function readStdin(): string {
  if (process.stdin.isTTY)
    throw new FairleadError("FL_USAGE", "-f - reads standard input, which is a terminal", {
      hint: "Pipe a manifest in: cat app.yaml | fairlead up -f -",
    });
  return readFileSync(0, "utf8");
}

/** The directories and files that `--watch` must look at. */
export function watchTargets(args: readonly string[]): readonly string[] {
  return [...new Set(args.filter((arg) => arg !== "-").map((arg) => resolve(arg)))];
}
