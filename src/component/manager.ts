import type { Component, Readiness } from "./component.ts";
import { errorMessage } from "../lib/errors.ts";
import { silentLogger, type Logger } from "../lib/log.ts";

export interface ManagerOptions {
  readonly log?: Logger;
}

/**
 * Starts components in order and stops them in reverse. A component that fails to start brings down those before it,
 * so a failed start leaves nothing behind.
 */
export class Manager {
  readonly #log: Logger;
  readonly #started: Component[] = [];

  constructor(options: ManagerOptions = {}) {
    this.#log = options.log ?? silentLogger;
  }

  /** Starts `component` now; rejects, with everything stopped, when it cannot start. */
  async start(component: Component): Promise<void> {
    if (this.#started.some((other) => other.name === component.name)) throw new Error(`two components are named ${component.name}`);
    try {
      await component.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#started.push(component);
  }

  /** Stops everything, last started first. A component that fails to stop is logged and does not keep the others up. */
  async stop(): Promise<void> {
    for (let component = this.#started.pop(); component !== undefined; component = this.#started.pop()) {
      try {
        await component.stop();
      } catch (error) {
        this.#log.error("component did not stop cleanly", { component: component.name, error: errorMessage(error) });
      }
    }
  }

  /** name → readiness, in start order. */
  readiness(): ReadonlyMap<string, Readiness> {
    return new Map(this.#started.map((component) => [component.name, component.ready()]));
  }
}
