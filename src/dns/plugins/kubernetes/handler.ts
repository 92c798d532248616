/** Answers for the cluster's zones from the index; what it does not know may go on (`fallthrough`). */
import { authority, lookup, type Answer, type DnsIndex, type LookupZone } from "../../../decide/dns/index.ts";
import { isWithin, matchZone } from "../../../decide/dns/name.ts";
import { rcodes } from "../../../decide/dns/records.ts";
import { after, type Awaitable, type DnsRequest, type Handler, type Next, type Outcome, type Reply } from "../../plugin.ts";
import { createReply, type Message } from "../../wire/message.ts";

export interface KubernetesHandlerOptions {
  readonly index: DnsIndex;
  readonly zones: readonly LookupZone[];
  /** Zones below which an unknown name goes on to the next plugin. */
  readonly fallthrough: readonly string[] | undefined;
  readonly synced: () => boolean;
}

export function kubernetesHandler({ index, zones, fallthrough, synced }: KubernetesHandlerOptions): Handler {
  const byOrigin = new Map(zones.map((zone) => [zone.origin, zone]));
  const origins = [...byOrigin.keys()];
  const goesOn = (name: string) => fallthrough?.some((zone) => isWithin(zone, name)) === true;

  function serveDNS(request: DnsRequest, next: Next): Awaitable<Outcome> {
    const zone = byOrigin.get(matchZone(origins, request.name) ?? "");
    if (zone === undefined) return next(request);
    const { name, type } = request.question;
    const result = lookup(index, name, type, zone);
    if (result.kind === "answer")
      return result.follow === undefined ? live(request, answerOf(result)) : follow(request, result, result.follow, zone);
    if (result.kind === "nameError" && goesOn(request.name)) return next(request);
    // Before the first list an unknown name may well exist: better no answer than a wrong one.
    const denial = synced() ? rcodes.NXDOMAIN : rcodes.SERVFAIL;
    return live(request, {
      rcode: result.kind === "nameError" ? denial : rcodes.NOERROR,
      authorities: [authority(index, name, zone)],
    });
  }

  /** An alias that leaves the zone, with what its target has; when that cannot even be asked, no data. */
  function follow(request: DnsRequest, answer: Answer, target: string, zone: LookupZone): Awaitable<Outcome> {
    return after(request.resolve(target, request.question.type), (found) =>
      found === undefined
        ? live(request, { authorities: [authority(index, request.question.name, zone)] })
        : // An alias alone is still true, and a resolver of the client's own can go on from it.
          live(request, { ...answerOf({ ...answer, records: [...answer.records, ...found.answers] }), truncated: found.truncated }),
    );
  }

  return { name: "kubernetes", serveDNS };
}

function answerOf({ records, additional }: Pick<Answer, "records" | "additional">): Partial<Message> {
  return { answers: records, additionals: additional };
}

/** What the index holds now; a cache must not keep it, or an endpoint that is gone would still be answered. */
function live({ message }: DnsRequest, parts: Partial<Message>): Reply {
  return { kind: "reply", plugin: "kubernetes", live: true, message: createReply(message, { authoritative: true, ...parts }) };
}
