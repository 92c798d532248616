/** The iptables rules of one family in the kernel: written only when they change, and looked at without a command for each. */
import { kube } from "../../../decide/proxy/render/iptables/layout.ts";
import type { IptablesRules, TableName } from "../../../decide/proxy/render/iptables/rules.ts";
import { fullRestoreLines, jumpLines } from "../../../decide/proxy/render/iptables/text.ts";
import type { Iptables } from "../../../host/iptables/iptables.ts";

export class IpvsRuleWriter {
  readonly #iptables: Iptables;
  /** What was written last, as text; undefined: not known. */
  #written: string | undefined;

  constructor(iptables: Iptables) {
    this.#iptables = iptables;
  }

  /** The rules are a few dozen; they change only when a set gets its first entry or loses its last. */
  async write(rules: IptablesRules): Promise<void> {
    const text = `${[...fullRestoreLines(rules, [])].join("\n")}\n`;
    if (text === this.#written) return;
    if (this.#written === undefined) await this.#first(rules);
    else await this.#iptables.restore(rules.family, text);
    this.#written = text;
  }

  /** With what leads to the chains, at the top of the kernel's own; chains of iptables mode that somebody has left go. */
  async #first(rules: IptablesRules): Promise<void> {
    const there = tablesOf(await this.#iptables.save(rules.family));
    const chains = (there.get("nat") ?? []).flatMap((line) => (line.startsWith(":") ? [line.slice(1, line.indexOf(" "))] : []));
    const lines: string[] = [];
    let table: TableName = "filter";
    for (const line of fullRestoreLines(rules, chains)) {
      if (line.startsWith("*")) table = line.slice(1) as TableName;
      if (line === "COMMIT")
        lines.push(
          ...missingJumps(rules, table, there)
            .toReversed()
            .map((jump) => jump.replace("-A", "-I")),
        );
      lines.push(line);
    }
    this.#written = undefined;
    await this.#iptables.restore(rules.family, `${lines.join("\n")}\n`);
  }

  /** Whether the canary and what leads to our chains are there. The next `write` sets everything up again where not. */
  async stands(rules: IptablesRules): Promise<boolean> {
    const there = tablesOf(await this.#iptables.save(rules.family));
    const tables: readonly TableName[] = ["filter", "nat"];
    const stands = tables.every(
      (table) =>
        (there.get(table) ?? []).some((line) => line.startsWith(`:${kube.canary} `)) && missingJumps(rules, table, there).length === 0,
    );
    if (!stands) this.#written = undefined;
    return stands;
  }
}

function missingJumps(rules: IptablesRules, table: TableName, there: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const have = new Set(there.get(table) ?? []);
  return jumpLines(rules, table).filter((line) => !have.has(line));
}

/** `iptables-save` by table. */
function tablesOf(lines: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const tables = new Map<string, string[]>();
  let table: string[] = [];
  for (const line of lines) {
    if (line.startsWith("*")) tables.set(line.slice(1), (table = []));
    else table.push(line);
  }
  return tables;
}
