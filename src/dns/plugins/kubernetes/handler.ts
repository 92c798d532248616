/** Answers for the cluster's zones from the index; what it does not know may go on (`fallthrough`). */
import { authority, changeTag, lookup, type Answer, type DnsIndex, type LookupResult, type LookupZone } from "../../../decide/dns/index.ts";
import { isWithin, matchZone } from "../../../decide/dns/name.ts";
import { rcodes } from "../../../decide/dns/records.ts";
import { after, type Awaitable, type DnsRequest, type Handler, type Next, type Outcome, type Reply } from "../../plugin.ts";
import { extendedErrors, withReason } from "../../wire/extended-error.ts";
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
      return result.follow === undefined ? whole(request, zone, result, answerOf(result)) : follow(request, result, result.follow, zone);
    if (result.kind === "nameError" && goesOn(request.name)) return next(request);
    // Before the first list an unknown name may well exist: better no answer than a wrong one.
    const denial = synced() ? rcodes.NXDOMAIN : rcodes.SERVFAIL;
    const parts = { rcode: result.kind === "nameError" ? denial : rcodes.NOERROR, authorities: [authority(index, name, zone)] };
    if (parts.rcode !== rcodes.SERVFAIL) return whole(request, zone, result, parts);
    const reply = live(request, parts);
    return { ...reply, message: withReason(reply.message, { code: extendedErrors.NOT_READY }) };
  }

  /** Nothing but the index says it: it holds until that changes. */
  function whole(request: DnsRequest, zone: LookupZone, result: LookupResult, parts: Partial<Message>): Reply {
    const reply = { ...live(request, parts), why: explained(request.name, zone, result) };
    return synced() ? { ...reply, holds: { until: "change", tag: changeTag(request.name, zone, result), source: index } } : reply;
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

  return { name: "kubernetes", repeatable: true, serveDNS };
}

function answerOf({ records, additional }: Pick<Answer, "records" | "additional">): Partial<Message> {
  return { answers: records, additionals: additional };
}

/** What the index holds now; a cache must not keep it, or an endpoint that is gone would still be answered. */
function live({ message }: DnsRequest, parts: Partial<Message>): Reply {
  return { kind: "reply", plugin: "kubernetes", live: true, message: createReply(message, { authoritative: true, ...parts }) };
}

/** `ServiceAddress: Service shop/web`, for who asks how the answer came to be. */
function explained(name: string, zone: LookupZone, result: LookupResult): string {
  const [namespace, service] = changeTag(name, zone, result).split("/");
  return service === undefined || service === "" ? result.reason : `${result.reason}: Service ${namespace}/${service}`;
}
