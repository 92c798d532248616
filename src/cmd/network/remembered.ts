/**
 * What a cluster's data directory remembers of the network that it stood on: its Services and pods keep their addresses over
 * restarts, and addresses of one mode mean nothing in the other.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoCode, FairleadError } from "../../lib/errors.ts";
import type { ClusterMode } from "./network.ts";

export interface RememberedNetwork {
  /** Of `loopback-slots.ts`. */
  readonly slot: number;
  readonly mode: ClusterMode;
}

const file = "network.json";

/** Undefined for a new cluster. Throws FL_STORAGE when the file says something else. */
export function rememberedNetwork(root: string): RememberedNetwork | undefined {
  const path = join(root, file);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return undefined;
    throw error;
  }
  const found = parsed(text);
  if (found !== undefined) return found;
  throw new FairleadError("FL_STORAGE", `${path} is damaged`, {
    hint: "Remove it: the cluster then gets new addresses, and its Services must be made anew.",
  });
}

function parsed(text: string): RememberedNetwork | undefined {
  try {
    const { slot, mode } = JSON.parse(text) as Partial<RememberedNetwork>;
    return Number.isInteger(slot) && (slot as number) >= 0 && (mode === "loopback" || mode === "namespaces")
      ? { slot: slot as number, mode }
      : undefined;
  } catch {
    // Not JSON: damaged as well.
    return undefined;
  }
}

export function rememberNetwork(root: string, network: RememberedNetwork): void {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const path = join(root, file);
  writeFileSync(`${path}.new`, `${JSON.stringify(network)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
