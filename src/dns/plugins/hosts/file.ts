/** A hosts file that is read again when it changes. */
import { statSync } from "node:fs";
import type { Timer } from "../../../lib/clock.ts";
import { errorMessage } from "../../../lib/errors.ts";
import type { Gauge } from "../../../lib/metrics.ts";
import type { ChangeSource, PluginEnvironment } from "../../plugin.ts";
import type { HostsSettings } from "./setup.ts";
import { HostsTable } from "./table.ts";

export class HostsFile implements ChangeSource {
  readonly #path: string;
  readonly #settings: Pick<HostsSettings, "inline" | "reverse" | "reloadMs">;
  readonly #environment: PluginEnvironment;
  readonly #listeners = new Set<(tag: string | undefined) => void>();
  readonly #entries: Gauge;
  #stamp = "";
  #timer: Timer | undefined;
  table: HostsTable;

  constructor(path: string, settings: Pick<HostsSettings, "inline" | "reverse" | "reloadMs">, environment: PluginEnvironment) {
    this.#path = path;
    this.#settings = settings;
    this.#environment = environment;
    this.#entries = environment.metrics.gauge("coredns_hosts_entries", "The combined number of entries in hosts and Corefile.").labels();
    this.table = this.#build("");
    this.#read();
  }

  start(): void {
    const { reloadMs } = this.#settings;
    if (reloadMs === 0) return;
    this.#timer = this.#environment.clock.after(reloadMs, () => {
      this.#read();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  onChange(listener: (tag: string | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #read(): void {
    const status = statSync(this.#path, { throwIfNoEntry: false });
    const stamp = status?.isFile() === true ? `${status.mtimeMs} ${status.size}` : "";
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      this.table = this.#build(stamp === "" ? "" : this.#environment.sources.readFile(this.#path));
    } catch (error) {
      this.#environment.log.warn(`hosts: ${this.#path} cannot be read`, { error: errorMessage(error) });
    }
    for (const listener of this.#listeners) listener(undefined);
  }

  /** The Corefile's own lines besides those of the file. */
  #build(text: string): HostsTable {
    const { inline, reverse } = this.#settings;
    const table = HostsTable.parse([text, ...inline].join("\n"), reverse);
    this.#entries.set(table.size);
    return table;
  }
}
