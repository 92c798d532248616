/** The machine's files as they are. */
import { lstatSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { errnoCode } from "../../../../lib/errors.ts";
import type { MachineFiles } from "./root-plan.ts";

const unreachable = new Set(["ENOENT", "ENOTDIR", "EACCES", "ELOOP"]);

export const machineFiles: MachineFiles = {
  kind(path) {
    try {
      const found = lstatSync(path);
      if (found.isSymbolicLink()) return "link";
      return found.isDirectory() ? "directory" : "file";
    } catch (error) {
      if (unreachable.has(errnoCode(error) ?? "")) return "absent";
      throw error;
    }
  },
  list: (path) => readdirSync(path),
  readLink: (path) => readlinkSync(path),
  size: (path) => statSync(path).size,
};
