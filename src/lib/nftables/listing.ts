/** What a table holds, as texts: to be compared with what it should hold. */
import type { BaseHook, DataType, Element, SetDeclaration, Statement } from "./ruleset.ts";
import { isVerdict } from "./text.ts";

/** A table as it was when it was read. */
export interface TableListing {
  readonly chains: Iterable<string>;
  readonly sets: Iterable<string>;
  /** undefined: there is no such chain; `false`: it hangs elsewhere, or has other rules. */
  sameHook(chain: string, base: BaseHook | undefined): boolean | undefined;
  sameRules(chain: string, rules: readonly (readonly Statement[])[]): boolean;
  /** undefined: there is no such set. */
  sameSet(declaration: SetDeclaration): boolean | undefined;
  /** Key → value, both as `keyOf` and `valueOf` make them. Those of sets that packets write are not read. */
  elements(set: string): ReadonlyMap<string, string>;
}

export function keyOf(key: Element["key"]): string {
  return key.join(" . ");
}

/** With its comment: an address that another Service has now is not the same. "" for a set's. */
export function valueOf({ value, comment = "" }: Element): string {
  const said = comment === "" ? "" : ` "${comment}"`;
  if (value === undefined) return said;
  if (!isVerdict(value)) return `${value.join(" . ")}${said}`;
  return `${"chain" in value ? `${value.kind} ${value.chain}` : value.kind}${said}`;
}

/** A key's text as a key again. */
export function keyFrom(text: string, types: readonly DataType[]): Element["key"] {
  return text.split(" . ").map((part, i) => (types[i] === "mark" || types[i] === "inet_service" ? Number(part) : part));
}
