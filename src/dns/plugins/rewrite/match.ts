/** How rules of `rewrite` match a name, and what they make of it (CoreDNS `plugin/rewrite/name.go`). */
import { absolute, foldName } from "../../../decide/dns/name.ts";
import { errorMessage } from "../../../lib/errors.ts";
import { goRegExp, groupCount } from "../../corefile/go-regexp.ts";

export const matchKinds = ["exact", "prefix", "suffix", "substring", "regex"] as const;
export type MatchKind = (typeof matchKinds)[number];

/** A rule that cannot be. Stays inside `rewrite`: its setup names file and line. */
export class RuleError extends Error {}

/** The name that becomes of a folded one; undefined when it does not match. */
export type Renaming = (name: string) => string | undefined;

export function matchKind(word: string): MatchKind | undefined {
  return matchKinds.find((one) => one === word.toLowerCase());
}

export function renaming(kind: MatchKind, from: string, to: string): Renaming {
  switch (kind) {
    case "exact":
      return (name) => (name === from ? to : undefined);
    case "prefix":
      return (name) => (name.startsWith(from) ? to + name.slice(from.length) : undefined);
    case "suffix":
      return (name) => (name.endsWith(from) ? name.slice(0, name.length - from.length) + to : undefined);
    case "substring":
      return (name) => (name.includes(from) ? name.replaceAll(from, to) : undefined);
    case "regex":
      return regexRenaming(from, to);
  }
}

/** `{0}` to `{100}` in `to` are groups of the pattern. Throws RuleError. */
export function regexRenaming(from: string, to: string): Renaming {
  const pattern = compile(from);
  const used = new Set([...to.matchAll(/\{(\d{1,3})\}/g)].map(([, group]) => Number(group))).size;
  if (used > groupCount(pattern)) {
    throw new RuleError(
      `the rewrite regex pattern (${to}) uses more subexpressions than its corresponding matching regex pattern (${from})`,
    );
  }
  return (name) => {
    const groups = pattern.exec(name);
    return groups === null ? undefined : to.replace(/\{(\d+)\}/g, (whole, group: string) => groups[Number(group)] ?? whole);
  };
}

export function compile(source: string): RegExp {
  try {
    return goRegExp(source);
  } catch (error) {
    throw new RuleError(`invalid regex matching pattern: ${errorMessage(error)}`);
  }
}

/** As the Corefile's names are read: folded and absolute, whatever kind of part they are. */
export const normalized = (name: string): string => absolute(foldName(name));
