/** Rules of `rewrite` from their words (CoreDNS `plugin/rewrite`). */
import { classCode, rcodeCode, recordTypes, typeCode } from "../../../decide/dns/records.ts";
import type { Awaitable, DnsRequest } from "../../plugin.ts";
import type { Message } from "../../wire/message.ts";
import { cnameRule } from "./cname-rule.ts";
import { ednsRule } from "./edns-rule.ts";
import { matchKind, matchKinds, normalized, renaming, RuleError, type MatchKind } from "./match.ts";
import { nameRule } from "./name-rule.ts";
import { changeCode, changeTtls } from "./response.ts";

/** What a rule made of a request: another one, and what is to be done with its answer. */
export interface Rewritten {
  readonly request: DnsRequest;
  readonly respond?: (message: Message, original: DnsRequest) => Awaitable<Message>;
}

export interface Rule {
  /** Whether rules after it are looked at when it matched. */
  readonly goesOn: boolean;
  /** Undefined: it does not match. */
  apply(request: DnsRequest): Rewritten | undefined;
}

type RuleMaker = (args: readonly string[]) => Rule["apply"];

/** Throws RuleError. */
export function readRule(words: readonly string[]): Rule {
  const [first, ...others] = words;
  if (first === undefined) throw new RuleError("no rule type specified for rewrite");
  const mode = first.toLowerCase();
  const named = mode === "continue" || mode === "stop";
  const [kind, ...args] = named ? others : words;
  if (kind === undefined) throw new RuleError(`${mode} rule must begin with a rule type`);
  if (kind.toLowerCase() === "answer") throw new RuleError("response rewrites must begin with a name rule");
  const make = Object.hasOwn(makers, kind.toLowerCase()) ? makers[kind.toLowerCase()] : undefined;
  if (make === undefined) throw new RuleError(`invalid rule type "${first}"; expected ${Object.keys(makers).join(", ")}`);
  return { goesOn: mode === "continue", apply: make(args) };
}

const makers: Readonly<Record<string, RuleMaker>> = {
  name: nameRule,
  class: (args) => codeRule("class", args, classCode, "class"),
  type: (args) => codeRule("type", args, (word) => (word.toUpperCase() === "ANY" ? recordTypes.ANY : typeCode(word)), "type"),
  edns0: ednsRule,
  ttl: ttlRule,
  cname: cnameRule,
  rcode: rcodeRule,
};

function codeRule(
  kind: string,
  args: readonly string[],
  code: (word: string) => number | undefined,
  field: "class" | "type",
): Rule["apply"] {
  if (args.length !== 2) throw new RuleError(`${kind} rules must have exactly two arguments`);
  const [from, to] = args.map((word) => {
    const value = code(word);
    if (value === undefined) throw new RuleError(`invalid ${kind} "${word}"`);
    return value;
  }) as [number, number];
  return (request) => {
    if (request.question[field] !== from) return undefined;
    const question = { ...request.question, [field]: to };
    return { request: { ...request, question, message: { ...request.message, questions: [question] } } };
  };
}

/** [KIND] NAME: the kind `exact` where none is said. */
function nameMatcher(
  rule: string,
  args: readonly string[],
  values: number,
): { readonly matches: (name: string) => boolean; readonly rest: readonly string[] } {
  const said = args.length === values + 2;
  if (args.length !== values + 1 && !said) throw new RuleError(`wrong number (${args.length}) of arguments for a ${rule} rule`);
  const kind: MatchKind | undefined = said ? matchKind(args[0] as string) : "exact";
  if (kind === undefined) throw new RuleError(`${rule} rule supports only ${matchKinds.join(", ")} name matching`);
  const [text = "", ...rest] = said ? args.slice(1) : args;
  const rename = renaming(
    kind,
    kind === "exact" || kind === "suffix" ? normalized(text) : kind === "regex" ? text : text.toLowerCase(),
    "",
  );
  return { matches: (name) => rename(name) !== undefined, rest };
}

function ttlRule(args: readonly string[]): Rule["apply"] {
  const { matches, rest } = nameMatcher("ttl", args, 1);
  const [, low, dash, high] = /^(\d*)(-?)(\d*)$/.exec(rest[0] ?? "") ?? [];
  if (low === undefined || (low === "" && high === "") || (dash === "" && low === ""))
    throw new RuleError(`invalid TTL '${rest[0]}' for a ttl rule`);
  const least = low === "" ? 0 : Number(low);
  const most = dash === "" ? least : high === "" || high === undefined ? 0x7fff_ffff : Number(high);
  if (least > 0xffff_ffff || most > 0xffff_ffff || least > most) throw new RuleError(`invalid TTL '${rest[0]}' for a ttl rule`);
  const respond = changeTtls(least, most);
  return (request) => (matches(request.name) ? { request, respond } : undefined);
}

function rcodeRule(args: readonly string[]): Rule["apply"] {
  const { matches, rest } = nameMatcher("rcode", args, 2);
  const [from, to] = rest.map((word) => {
    const code = /^\d+$/.test(word) ? Number(word) : rcodeCode(word);
    if (code === undefined || code > 4095) throw new RuleError(`invalid RCODE "${word}" for a rcode rule`);
    return code;
  }) as [number, number];
  const respond = changeCode(from, to);
  return (request) => (matches(request.name) ? { request, respond } : undefined);
}
