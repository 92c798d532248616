/** Which loopback network a cluster's data belongs to: its Services keep their addresses over restarts. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoCode } from "../../lib/errors.ts";

export function readSlot(root: string): number | undefined {
  try {
    const slot = Number(readFileSync(join(root, "network-slot"), "utf8"));
    return Number.isInteger(slot) && slot >= 0 ? slot : undefined;
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

export function writeSlot(root: string, slot: number): void {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  writeFileSync(join(root, "network-slot"), `${slot}\n`, { mode: 0o600 });
}
