/** Where the logs of a pod's containers lie: `<data>/pod-logs/<namespace>_<name>_<uid>/<container>/<instance>.log`. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { PodRef } from "../../api/node-agent.ts";
import type { Clock } from "../../lib/clock.ts";
import { errnoCode } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { LogWriter } from "./log-writer.ts";

export interface LogStoreOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Names of pods and containers are DNS labels and subdomains, uids are the server's: none can leave the directory. */
export class LogStore {
  readonly #options: LogStoreOptions;
  readonly #writers = new Map<string, LogWriter>();

  constructor(options: LogStoreOptions) {
    this.#options = options;
  }

  fileOf(pod: PodRef, container: string, instance: number): string {
    return join(this.#directoryOf(pod), container, `${instance}.log`);
  }

  /** The writer of a new instance. Logs of instances before the last one are removed. */
  open(pod: PodRef, container: string, instance: number): LogWriter {
    const { clock, log } = this.#options;
    const writer = new LogWriter({ file: this.fileOf(pod, container, instance), clock, log });
    this.#writers.set(writer.file, writer);
    if (instance >= 2) void this.#remove(this.fileOf(pod, container, instance - 2));
    return writer;
  }

  /** The writer of an instance of this run, ended or not. */
  writer(pod: PodRef, container: string, instance: number): LogWriter | undefined {
    return this.#writers.get(this.fileOf(pod, container, instance));
  }

  async removePod(pod: PodRef): Promise<void> {
    const directory = this.#directoryOf(pod);
    for (const file of this.#writers.keys()) if (file.startsWith(`${directory}/`)) this.#writers.delete(file);
    await rm(directory, { recursive: true, force: true });
  }

  /** Removes the logs of pods that are no more. */
  async removeOthers(isKnown: (uid: string) => boolean): Promise<void> {
    for (const entry of await listDirectory(this.#options.directory)) {
      if (!isKnown(entry.slice(entry.lastIndexOf("_") + 1)))
        await rm(join(this.#options.directory, entry), { recursive: true, force: true });
    }
  }

  async #remove(file: string): Promise<void> {
    this.#writers.delete(file);
    await rm(file, { force: true });
    await rm(`${file}.1`, { force: true });
  }

  #directoryOf({ namespace, name, uid }: PodRef): string {
    return join(this.#options.directory, `${namespace}_${name}_${uid}`);
  }
}

/** The names in a directory; none when it does not exist. */
export async function listDirectory(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return [];
    throw error;
  }
}
