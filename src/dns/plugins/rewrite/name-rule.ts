import type { DnsRequest } from "../../plugin.ts";
import type { Message } from "../../wire/message.ts";
import { matchKind, matchKinds, normalized, regexRenaming, renaming, RuleError, type MatchKind } from "./match.ts";
import { backTo, changeOwners, changeValues, type ResponseChange } from "./response.ts";
import type { Rule } from "./rules.ts";

/** [KIND] FROM TO [answer auto | answer name FROM TO | answer value FROM TO]... */
export function nameRule(args: readonly string[]): Rule["apply"] {
  if (args.length < 2) throw new RuleError("too few arguments for a name rule");
  const kind = args.length === 2 ? "exact" : matchKind(args[0] as string);
  if (kind === undefined) throw new RuleError(`name rule supports only ${matchKinds.join(", ")} name matching, received: ${args[0]}`);
  const [from = "", to = "", ...answers] = args.length === 2 ? args : args.slice(1);
  const { auto, changes } = readAnswers(kind, answers);
  const rename = renamingOf(kind, from, to);
  const back = backOf(kind, from, to, auto);
  return (request) => {
    const name = rename(request.name);
    if (name === undefined) return undefined;
    return {
      request: withName(request, name),
      respond: (message, original) => [...changes, ...back(name, original)].reduceRight(applied, message),
    };
  };
}

const applied = (message: Message, change: ResponseChange): Message => change(message);

function renamingOf(kind: MatchKind, from: string, to: string) {
  switch (kind) {
    case "exact":
    case "suffix":
      return renaming(kind, normalized(from), normalized(to));
    case "prefix":
    case "substring":
      return renaming(kind, from.toLowerCase(), to.toLowerCase());
    case "regex":
      return renaming(kind, from, normalized(to));
  }
}

/** What undoes the rule in the answer. A suffix is turned back wherever it stands; exact names always are. */
function backOf(kind: MatchKind, from: string, to: string, auto: boolean) {
  if (kind === "suffix" && auto) {
    const reverse = renaming("suffix", normalized(to), normalized(from));
    return (): readonly ResponseChange[] => [changeOwners(reverse), changeValues(reverse)];
  }
  if (!auto && kind !== "exact") return (): readonly ResponseChange[] => [];
  return (name: string, { question }: DnsRequest): readonly ResponseChange[] => {
    const reverse = backTo(name, question.name);
    return [changeOwners(reverse), changeValues(reverse)];
  };
}

export function withName(request: DnsRequest, name: string): DnsRequest {
  const question = { ...request.question, name };
  return { ...request, question, name: name.toLowerCase(), message: { ...request.message, questions: [question] } };
}

function readAnswers(kind: MatchKind, words: readonly string[]): { readonly auto: boolean; readonly changes: readonly ResponseChange[] } {
  if (words.length === 1) throw new RuleError(`invalid arguments for ${kind} rule`);
  const changes: ResponseChange[] = [];
  let auto = false;
  let named = false;
  for (let at = 0; at < words.length;) {
    if (words[at] === "answer") at++;
    else if (at === 0) throw new RuleError(`exceeded the number of arguments for a non-answer rule argument for ${kind} rule`);
    const type = words[at++];
    if (type === "auto") {
      auto = true;
      continue;
    }
    if (type !== "name" && type !== "value") throw new RuleError(`invalid type "${type}" for answer rule for ${kind} rule`);
    const [from, to] = [words[at++], words[at++]];
    if (from === undefined || to === undefined) throw new RuleError(`${type} answer rule for ${kind} rule: 2 arguments required`);
    const rename = regexRenaming(from, normalized(to));
    changes.push(type === "name" ? changeOwners(rename) : changeValues(rename));
    named ||= type === "name";
  }
  if (auto && named) throw new RuleError("auto name answer rule cannot be combined with explicit name answer rules");
  return { auto, changes };
}
