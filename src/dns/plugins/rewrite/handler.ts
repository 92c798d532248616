import { isDomainName } from "../../../decide/dns/name.ts";
import { rcodes } from "../../../decide/dns/records.ts";
import { after, failure, reply, type Awaitable, type DnsRequest, type Handler, type Outcome } from "../../plugin.ts";
import { createReply, type Message } from "../../wire/message.ts";
import type { Rewritten, Rule } from "./rules.ts";

export function rewriteHandler(rules: readonly Rule[]): Handler {
  return {
    name: "rewrite",
    serveDNS(request, next) {
      const { last, responds } = applyAll(rules, request);
      if (last === undefined) return failure(rcodes.SERVFAIL, new Error(`invalid name after rewrite of ${request.name}`));
      return last === request ? next(request) : after(next(last), (outcome) => restore(request, outcome, responds));
    },
  };
}

type Respond = NonNullable<Rewritten["respond"]>;

/** Rules see what the one before made; `last` is undefined when that is no name. */
function applyAll(
  rules: readonly Rule[],
  request: DnsRequest,
): { readonly last: DnsRequest | undefined; readonly responds: readonly Respond[] } {
  let last = request;
  const responds: Respond[] = [];
  for (const rule of rules) {
    const result = rule.apply(last);
    if (result === undefined) continue;
    if (!isDomainName(result.request.question.name)) return { last: undefined, responds };
    // Another object even when only the answer is changed: it has to come back here.
    last = { ...result.request };
    if (result.respond !== undefined) responds.push(result.respond);
    if (!rule.goesOn) break;
  }
  return { last, responds };
}

/** What the client asked comes back as it asked it; the rules' changes in reverse order. */
function restore(request: DnsRequest, outcome: Outcome, responds: readonly Respond[]): Awaitable<Outcome> {
  if (outcome.kind === "drop" || outcome.kind === "transfer") return outcome;
  const message = outcome.kind === "reply" ? outcome.message : createReply(request.message, { rcode: outcome.rcode });
  const shown: Message = { ...message, questions: [request.question] };
  const changed = responds.reduceRight<Awaitable<Message>>((before, respond) => after(before, (one) => respond(one, request)), shown);
  return after(changed, (done) => {
    if (outcome.kind === "none") return done.rcode === outcome.rcode ? outcome : reply("rewrite", done);
    const { holds: _, ...plain } = outcome;
    return { ...plain, message: done };
  });
}
