/** Finds the program that a command names, before anything is spawned: so that the reason of a failure is exact. */
import { accessSync, constants, statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { errnoCode } from "../../../lib/errors.ts";
import { ContainerStartError } from "../runtime.ts";

export interface CommandPlace {
  /** The pod's root: an absolute path is looked for below it first. */
  readonly root: string;
  readonly workingDirectory: string;
  /** The container's PATH. */
  readonly path: string;
}

/** The absolute path of the program. Throws with the text that runc gives. */
export function findCommand(name: string, place: CommandPlace): string {
  if (name === "") throw startError(name, "executable file not found in $PATH");
  const candidates = name.includes("/")
    ? isAbsolute(name)
      ? [join(place.root, name), name]
      : [resolve(place.workingDirectory, name)]
    : place.path.split(":").map((directory) => join(isAbsolute(directory) ? directory : resolve(place.workingDirectory, directory), name));
  let denied = false;
  for (const candidate of candidates) {
    const found = executable(candidate);
    if (found === "yes") return candidate;
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
