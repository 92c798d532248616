/** The iptables rules of one family in the kernel: written only when they change, and looked at without a command for each. */
import { isFlushed, isOfListing, readListing } from "../../../decide/proxy/render/iptables/listing.ts";
import type { IptablesRules } from "../../../decide/proxy/render/iptables/rules.ts";
import { fullRestoreLines } from "../../../decide/proxy/render/iptables/text.ts";
import type { Iptables } from "../../../host/iptables/iptables.ts";
import type { Counter, Family } from "../../../lib/metrics.ts";

export class IpvsRuleWriter {
  readonly #iptables: Iptables;
  readonly #failures: Family<Counter> | undefined;
  /** What was written last, as text; undefined: not known. */
  #written: string | undefined;

  /** `failures`: restores that were refused, by family. */
  constructor(iptables: Iptables, failures?: Family<Counter>) {
    this.#iptables = iptables;
    this.#failures = failures;
  }

  /** The rules are a few dozen; they change only when a set gets its first entry or loses its last. */
  async write(rules: IptablesRules): Promise<void> {
    const text = textOf(fullRestoreLines(rules));
    if (text === this.#written) return;
    // The first time with what leads to the chains; chains of iptables mode that somebody has left go.
    const whole = this.#written === undefined ? textOf(fullRestoreLines(rules, await this.#listing(rules))) : text;
    this.#written = undefined;
    try {
      await this.#iptables.restore(rules.family, whole);
    } catch (error) {
      this.#failures?.labels(`IPv${rules.family}`).inc();
      throw error;
    }
    this.#written = text;
  }

  /** Whether the canary and what leads to our chains are there. The next `write` sets everything up again where not. */
  async stands(rules: IptablesRules): Promise<boolean> {
    const stands = !isFlushed(rules, await this.#listing(rules));
    if (!stands) this.#written = undefined;
    return stands;
  }

  async #listing({ family }: IptablesRules) {
    return readListing(await this.#iptables.save(family, isOfListing));
  }
}

const textOf = (lines: Iterable<string>) => `${[...lines].join("\n")}\n`;
