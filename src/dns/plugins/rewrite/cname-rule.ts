import { foldName } from "../../../decide/dns/name.ts";
import { recordTypes, type ResourceRecord } from "../../../decide/dns/records.ts";
import { after, type Awaitable, type DnsRequest } from "../../plugin.ts";
import type { Message } from "../../wire/message.ts";
import { matchKind, matchKinds, normalized, renaming, RuleError, type Renaming } from "./match.ts";
import type { Rule } from "./rules.ts";

/** [KIND] FROM TO: an alias that leads to FROM leads to TO, with what that has. */
export function cnameRule(args: readonly string[]): Rule["apply"] {
  if (args.length !== 2 && args.length !== 3) throw new RuleError(`wrong number (${args.length}) of arguments for a cname rule`);
  const kind = args.length === 2 ? "exact" : matchKind(args[0] as string);
  if (kind === undefined) throw new RuleError(`unknown cname rewrite type: ${args[0]}; expected ${matchKinds.join(", ")}`);
  const [from = "", to = ""] = args.slice(-2).map((word) => (kind === "exact" ? normalized(word) : word.toLowerCase()));
  const rename = renaming(kind, from, to);
  return (request) => ({ request, respond: (message) => follow(message, rename, request) });
}

function follow(message: Message, rename: Renaming, request: DnsRequest): Awaitable<Message> {
  const at = message.answers.findIndex(
    ({ data, type }) => type === recordTypes.CNAME && data.kind === "name" && rename(foldName(data.target)) !== undefined,
  );
  const alias = message.answers[at];
  if (alias?.data.kind !== "name") return message;
  const target = rename(foldName(alias.data.target)) as string;
  return after(request.resolve(target, request.question.type), (found) => {
    if (found === undefined) return message;
    const kept: readonly ResourceRecord[] = message.answers.slice(0, at).filter(({ type }) => type === recordTypes.CNAME);
    const answers = [...kept, { ...alias, data: { kind: "name", target } as const }, ...found.answers];
    return { ...message, answers, truncated: found.truncated };
  });
}
