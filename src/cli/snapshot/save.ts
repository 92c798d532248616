/** `fairlead snapshot save FILE`: a running cluster's objects as a file that is whole or not there. */
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import { connect, findCluster, type ClusterChoice } from "../connect.ts";
import type { Terminal } from "../terminal.ts";
import { described, summaryOf } from "./summary.ts";

export interface SaveOptions extends ClusterChoice {
  readonly kubeconfig?: string | undefined;
}

/** Throws FL_NOT_RUNNING, FL_CONNECT, FL_SNAPSHOT. */
export async function save(file: string, options: SaveOptions, terminal: Terminal): Promise<number> {
  const { client, close } = await connect(options.kubeconfig ?? findCluster(options).kubeconfig);
  try {
    const summary = await written(file, (bytes) => summaryOf(bytes), client.stream("/debug/snapshot"));
    terminal.print(`saved ${described(summary)} to ${file}`);
    return 0;
  } finally {
    await close();
  }
}

/** Writes what passes beside `file` and puts it in its place when `check` found it whole and the disk has it. */
async function written<T>(
  file: string,
  check: (bytes: AsyncIterable<Uint8Array>) => Promise<T>,
  source: AsyncIterable<Uint8Array>,
): Promise<T> {
  const part = `${file}.part`;
  const handle = await open(part, "w", 0o600).catch((error: unknown) => {
    throw new FairleadError("FL_SNAPSHOT", `cannot write ${part}: ${errorMessage(error)}`, { cause: error });
  });
  try {
    const result = await check(copying(source, (chunk) => handle.writeFile(chunk)));
    await handle.sync();
    await handle.close();
    await rename(part, file);
    await syncDirectory(dirname(file));
    return result;
  } catch (error) {
    await handle.close();
    await rm(part, { force: true });
    throw error;
  }
}

async function* copying(source: AsyncIterable<Uint8Array>, write: (chunk: Uint8Array) => Promise<void>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    await write(chunk);
    yield chunk;
  }
}

/** So that the new name survives a loss of power, too. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
