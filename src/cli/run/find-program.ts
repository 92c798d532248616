/** Which file a command word means. */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, resolve } from "node:path";

/** As execvp(3) looks for it. Undefined: there is none. */
export function findProgram(word: string, path: string, directory: string): string | undefined {
  if (word === "") return undefined;
  const candidates = word.includes("/")
    ? [resolve(directory, word)]
    : path.split(delimiter).map((folder) => resolve(directory, folder, word));
  return candidates.find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
