/** Answers made of what was asked, by a template (CoreDNS `plugin/template`). */
import { isWithin, matchZone } from "../../../decide/dns/name.ts";
import { classes, className, rcodes, recordTypes, typeName, type ResourceRecord } from "../../../decide/dns/records.ts";
import { errorMessage } from "../../../lib/errors.ts";
import type { MetricsRegistry } from "../../../lib/metrics.ts";
import type { Run, Scope, Value } from "../../expression/compile.ts";
import { after, failure, reply, type Awaitable, type DnsRequest, type Handler, type Outcome } from "../../plugin.ts";
import { executeTemplate, type TemplateValue } from "../../text-template/execute.ts";
import type { TemplateNode } from "../../text-template/parse.ts";
import { withReason, type ExtendedError } from "../../wire/extended-error.ts";
import { createReply, type Message } from "../../wire/message.ts";
import { parseRecord } from "../../wire/parse-record.ts";
import type { TemplateContext } from "./expressions.ts";

export interface Template {
  readonly class: number;
  readonly type: number;
  readonly zones: readonly string[];
  /** The first that matches; none: every name. */
  readonly patterns: readonly RegExp[];
  readonly variables: readonly { readonly name: string; readonly run: Run<TemplateContext> }[];
  readonly conditions: readonly Run<TemplateContext>[];
  readonly answers: readonly (readonly TemplateNode[])[];
  readonly additionals: readonly (readonly TemplateNode[])[];
  readonly authorities: readonly (readonly TemplateNode[])[];
  readonly rcode: number;
  readonly reason: ExtendedError | undefined;
  readonly fallthrough: readonly string[] | undefined;
}

const everything = /.*/;

type Matched =
  | { readonly kind: "no"; readonly goesOn: boolean }
  | { readonly kind: "failed"; readonly error: Error }
  | { readonly kind: "matched"; readonly context: TemplateContext; readonly scope: Scope; readonly zone: string };

export function templateHandler(templates: readonly Template[], metrics: MetricsRegistry): Handler {
  const matches = metrics.counter("coredns_template_matches_total", "Counter of template regex matches.", [
    "server",
    "zone",
    "view",
    "class",
    "type",
  ]);
  return {
    name: "template",
    serveDNS(request, next) {
      for (const one of templates) {
        const matched = match(one, request);
        if (matched.kind === "failed") return failure(rcodes.SERVFAIL, matched.error);
        if (matched.kind === "no") {
          if (matched.goesOn) continue;
          return failure(rcodes.SERVFAIL, new Error(`no template matches ${request.name}`));
        }
        matches
          .labels(request.server, matched.zone, request.view, className(request.question.class), typeName(request.question.type))
          .inc();
        if (one.rcode === rcodes.SERVFAIL) return failure(rcodes.SERVFAIL, undefined, one.reason);
        return render(one, matched, request);
      }
      return next(request);
    },
  };
}

/** `goesOn`: the next template may have it. */
function match(one: Template, request: DnsRequest): Matched {
  const { question, name } = request;
  const zone = matchZone(one.zones, name);
  const concerns =
    (one.class === classes.ANY || one.class === question.class) && (one.type === recordTypes.ANY || one.type === question.type);
  if (zone === undefined || !concerns) return { kind: "no", goesOn: true };
  const goesOn = one.fallthrough?.some((through) => isWithin(through, name)) === true;
  for (const pattern of one.patterns.length === 0 ? [everything] : one.patterns) {
    const found = pattern.exec(name);
    if (found !== null) return evaluated(one, { request, match: found }, zone, goesOn);
  }
  return { kind: "no", goesOn };
}

function evaluated(one: Template, context: TemplateContext, zone: string, goesOn: boolean): Matched {
  const scope: Record<string, Value> = {};
  try {
    for (const { name, run } of one.variables) scope[name] = run(context, scope);
    const holds = one.conditions.every((run) => run(context, scope) === true);
    return holds ? { kind: "matched", context, scope, zone } : { kind: "no", goesOn };
  } catch (error) {
    return { kind: "failed", error: new Error(errorMessage(error)) };
  }
}

function render(one: Template, matched: Extract<Matched, { kind: "matched" }>, request: DnsRequest): Awaitable<Outcome> {
  const data = dataOf(matched, request);
  let made: Message;
  try {
    const records = (templates: Template["answers"]) => templates.map((nodes) => record(executeTemplate(nodes, data)));
    made = createReply(request.message, {
      authoritative: true,
      rcode: one.rcode,
      answers: records(one.answers),
      additionals: records(one.additionals),
      authorities: records(one.authorities),
    });
  } catch (error) {
    return failure(rcodes.SERVFAIL, new Error(errorMessage(error)));
  }
  const message = one.reason === undefined ? made : withReason(made, one.reason);
  return after(withAliasTarget(message, request), (whole) => reply("template", whole));
}

function record(line: string): ResourceRecord {
  const parsed = parseRecord(line);
  if (parsed.kind === "error") throw new Error(`the template's record ${JSON.stringify(line)} cannot be read: ${parsed.reason}`);
  return parsed.record;
}

/** An alias at the end of the answer gets what it leads to. */
function withAliasTarget(message: Message, { question, resolve }: DnsRequest): Awaitable<Message> {
  const addresses = question.type === recordTypes.A || question.type === recordTypes.AAAA;
  const last = message.answers.at(-1);
  if (!addresses || last?.type !== recordTypes.CNAME || last.data.kind !== "name") return message;
  return after(resolve(last.data.target, question.type), (found) =>
    found === undefined ? message : { ...message, answers: [...message.answers, ...found.answers], truncated: found.truncated },
  );
}

function dataOf({ context, scope, zone }: Extract<Matched, { kind: "matched" }>, request: DnsRequest): TemplateValue {
  const { question, name, client, message, labels } = request;
  const asked = { Name: question.name, Qtype: question.type, Qclass: question.class };
  return {
    Zone: zone,
    Name: name,
    Class: className(question.class),
    Type: typeName(question.type),
    Match: [...context.match].map((text) => text ?? ""),
    Group: { ...context.match.groups, ...Object.fromEntries([...context.match].map((text, i) => [String(i), text ?? ""])) },
    Message: { Id: message.id, Question: [asked], RecursionDesired: message.recursionDesired, CheckingDisabled: message.checkingDisabled },
    Question: asked,
    Remote: client.address,
    Var: scope as { readonly [key: string]: TemplateValue },
    Meta: (label) => labels?.get(String(label))?.() ?? "",
  };
}
