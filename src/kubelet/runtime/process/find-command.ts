/** Finds the program that a command names, before anything is spawned: so that the reason of a failure is exact. */
import { accessSync, constants, statSync } from "node:fs";
import { resolve } from "node:path";
import { errnoCode } from "../../../lib/errors.ts";
import { ContainerStartError } from "../runtime.ts";

export interface CommandPlace {
  /** As the container sees it; absolute. */
  readonly workingDirectory: string;
  /** The container's PATH. */
  readonly path: string;
  /** Where the program may be whose path in the container is `path`: its file on this machine, and how it is started. */
  readonly lookIn: (path: string) => readonly Candidate[];
}

export interface Candidate {
  readonly file: string;
  readonly program: string;
}

/** How to start the program. Throws with the text that runc gives. */
export function findCommand(name: string, { workingDirectory, path, lookIn }: CommandPlace): string {
  if (name === "") throw startError(name, "executable file not found in $PATH");
  const paths = name.includes("/") ? [resolve(workingDirectory, name)] : path.split(":").map((at) => resolve(workingDirectory, at, name));
  let denied = false;
  for (const { file, program } of paths.flatMap(lookIn)) {
    const found = executable(file);
    if (found === "yes") return program;
    denied ||= found === "denied";
  }
  if (denied) throw startError(name, "permission denied");
  throw startError(name, name.includes("/") ? `stat ${name}: no such file or directory` : "executable file not found in $PATH");
}

function startError(name: string, why: string): ContainerStartError {
  return new ContainerStartError(`unable to start container process: exec: ${JSON.stringify(name)}: ${why}`);
}

function executable(file: string): "yes" | "denied" | "absent" {
  try {
    if (!statSync(file).isFile()) return "absent";
    accessSync(file, constants.X_OK);
    return "yes";
  } catch (error) {
    return errnoCode(error) === "EACCES" ? "denied" : "absent";
  }
}
