/** Which Corefile is meant. */
import { readFileSync } from "node:fs";
import { errnoCode, errorMessage, FairleadError } from "../../lib/errors.ts";

/** What coredns serves when there is none. */
const withoutCorefile = ".:53 {\n    whoami\n    log\n}\n";
const usualFile = "Corefile";

export interface FoundCorefile {
  readonly text: string;
  /** For messages. */
  readonly file: string;
  /** It can be read again. */
  readonly isFile: boolean;
}

/** Throws FL_USAGE when a file that was asked for cannot be read. */
export function findCorefile(named: string | undefined): FoundCorefile {
  if (named === "stdin") return { text: readFileSync(0, "utf8"), file: "stdin", isFile: false };
  const file = named ?? usualFile;
  try {
    return { text: readFileSync(file, "utf8"), file, isFile: true };
  } catch (error) {
    if (named === undefined && errnoCode(error) === "ENOENT") return { text: withoutCorefile, file: usualFile, isFile: false };
    throw new FairleadError("FL_USAGE", `the Corefile ${file} cannot be read: ${errorMessage(error)}`, { cause: error });
  }
}
