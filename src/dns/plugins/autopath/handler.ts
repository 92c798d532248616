/**
 * Walks the client's search path for it: the client asks for `web.shop.svc.cluster.local.cluster.local.` and the like one after
 * the other; here the first such question gets the answer of the first that exists, behind a CNAME.
 */
import { isWithin, matchZone, withoutZone } from "../../../decide/dns/name.ts";
import { classes, rcodes, recordTypes } from "../../../decide/dns/records.ts";
import { rcodeOf, type DnsRequest, type Handler, type Next, type Outcome, type Reply } from "../../plugin.ts";

/** Folded and absolute, the last one empty: the name as it is. Undefined: not known. */
export type SearchPath = (request: DnsRequest) => readonly string[] | undefined;

export interface AutopathSettings {
  readonly zones: readonly string[];
  readonly path: SearchPath;
  readonly shortened: (server: string) => void;
}

export function autopathHandler({ zones, path, shortened }: AutopathSettings): Handler {
  return {
    name: "autopath",
    serveDNS(request, next) {
      if (matchZone(zones, request.name) === undefined) return next(request);
      const search = path(request);
      const first = search?.[0];
      // Only the first question of a walk: the others come from clients that got no better answer to it.
      if (search === undefined || first === undefined || first === "" || request.name === first || !isWithin(first, request.name))
        return next(request);
      return walk(request, search, next, shortened);
    },
  };
}

async function walk(request: DnsRequest, search: readonly string[], next: Next, shortened: (server: string) => void): Promise<Outcome> {
  const { question } = request;
  const base = withoutZone(question.name, search[0] as string);
  let firstOutcome: Outcome | undefined;
  for (const domain of search) {
    const name = domain === "" ? `${base}.` : `${base}.${domain}`;
    const outcome = await next(renamed(request, name));
    firstOutcome ??= outcome;
    // A failure says nothing of whether the name exists: going on could give another host's address for it.
    if (outcome.kind !== "reply") return outcome;
    if (rcodeOf(outcome) === rcodes.NXDOMAIN) continue;
    if (rcodeOf(outcome) !== rcodes.NOERROR) return firstOutcome === outcome ? outcome : { kind: "none", rcode: rcodes.SERVFAIL };
    shortened(request.server);
    return aliased(request, outcome, name);
  }
  return restored(request, firstOutcome);
}

function renamed(request: DnsRequest, name: string): DnsRequest {
  const question = { ...request.question, name };
  return { ...request, question, name: name.toLowerCase(), message: { ...request.message, questions: [question] } };
}

/** The answer of `name` to the question that was asked; with a CNAME, so that it is true. */
function aliased({ question }: DnsRequest, outcome: Reply, name: string): Reply {
  const { message } = outcome;
  if (name.toLowerCase() === question.name.toLowerCase()) return { ...outcome, message: { ...message, questions: [question] } };
  const ttl = message.answers.reduce((least, record) => Math.min(least, record.ttl), message.answers[0]?.ttl ?? 0);
  const alias = { name: question.name, type: recordTypes.CNAME, class: classes.IN, ttl, data: { kind: "name", target: name } as const };
  const answers = message.answers.length === 0 ? [] : [alias, ...message.answers];
  const { holds: _, ...plain } = outcome;
  return { ...plain, message: { ...message, questions: [question], answers } };
}

function restored({ question }: DnsRequest, outcome: Outcome | undefined): Outcome {
  if (outcome?.kind !== "reply") return outcome ?? { kind: "none", rcode: rcodes.SERVFAIL };
  return { ...outcome, message: { ...outcome.message, questions: [question] } };
}
