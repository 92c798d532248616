/** Flags in the manner of Go's flag package, as coredns has them: `-conf FILE`, `-conf=FILE`, `--conf FILE`. */
import { FairleadError } from "../../lib/errors.ts";

export interface FlagTable {
  /** Flags with a value. */
  readonly values: readonly string[];
  readonly switches: readonly string[];
}

export interface Flags {
  readonly values: ReadonlyMap<string, string>;
  readonly switches: ReadonlySet<string>;
  /** What is no flag. */
  readonly rest: readonly string[];
}

/** Throws FL_USAGE. */
export function parseFlags(words: readonly string[], table: FlagTable): Flags {
  const values = new Map<string, string>();
  const switches = new Set<string>();
  const rest: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const [, name = "", inline] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(words[i] as string) ?? [];
    if (name === "") rest.push(words[i] as string);
    else if (table.switches.includes(name)) {
      if (inline !== "false") switches.add(name);
    } else if (table.values.includes(name)) {
      const value = inline ?? words[++i];
      if (value === undefined) throw new FairleadError("FL_USAGE", `flag needs an argument: -${name}`);
      values.set(name, value);
    } else {
      throw new FairleadError("FL_USAGE", `flag provided but not defined: -${name}`, { hint: "fairlead dns --help shows the flags." });
    }
  }
  return { values, switches, rest };
}

/** Throws FL_USAGE. */
export function portFlag(text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new FairleadError("FL_USAGE", `${JSON.stringify(text)} is no port`);
  return Number(text);
}
