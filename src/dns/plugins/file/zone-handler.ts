/** Answers from zones, whoever holds them: `file`, `auto`, `secondary`. */
import { isWithin, matchZone } from "../../../decide/dns/name.ts";
import { rcodes, recordTypes } from "../../../decide/dns/records.ts";
import { additionalFor, authorityFor, lookupZone, type ZoneAnswer, type ZoneLookup } from "../../../decide/dns/zone/lookup-zone.ts";
import type { Zone } from "../../../decide/dns/zone/zone.ts";
import {
  after,
  failure,
  reply,
  type Awaitable,
  type ChangeSource,
  type DnsRequest,
  type Handler,
  type Next,
  type Outcome,
} from "../../plugin.ts";
import { extendedErrors } from "../../wire/extended-error.ts";
import { createReply, opcodes, type Message } from "../../wire/message.ts";

export interface ZoneHandlerOptions {
  readonly name: string;
  /** Those that are served, filled or not. */
  readonly origins: () => readonly string[];
  /** Undefined: it is not there yet, or expired. */
  readonly zone: (origin: string) => Zone | undefined;
  readonly fallthrough: (origin: string) => readonly string[] | undefined;
  readonly source: ChangeSource;
  /** Whether a notification from there is taken; it then looks after the zone. Default: none is. */
  readonly notified?: (origin: string, from: string) => boolean;
}

const maxHops = 8;

export function zoneHandler(options: ZoneHandlerOptions): Handler {
  return { name: options.name, repeatable: true, serveDNS: (request, next) => serve(options, request, next) };
}

function serve(options: ZoneHandlerOptions, request: DnsRequest, next: Next): Awaitable<Outcome> {
  const { message, question } = request;
  const origin = matchZone(options.origins(), request.name);
  if (origin === undefined) return next(request);
  if (message.opcode === opcodes.NOTIFY) {
    return options.notified?.(origin, request.client.address) === true
      ? reply(options.name, createReply(message, { authoritative: true }))
      : { kind: "drop" };
  }
  if (question.type === recordTypes.AXFR || question.type === recordTypes.IXFR) return failure(rcodes.REFUSED);
  const zone = options.zone(origin);
  if (zone === undefined) return failure(rcodes.SERVFAIL, new Error(`zone ${origin} is not loaded`), { code: extendedErrors.NOT_READY });
  const dnssecOk = message.edns?.dnssecOk === true;
  const found = lookupZone(zone, { name: question.name, type: question.type, dnssecOk });
  const goesOn = options.fallthrough(origin)?.some((through) => isWithin(through, request.name)) === true;
  if (goesOn && found.answers.length === 0 && (found.kind === "nameError" || found.kind === "success")) return next(request);
  if (found.follow !== undefined)
    return after(follow(zone, found, found.follow, request, dnssecOk), (whole) => outcomeOf(whole, options.name, request));
  const outcome = outcomeOf(found, options.name, request);
  return outcome.kind === "reply" ? { ...outcome, holds: { until: "change", tag: "*", source: options.source } } : outcome;
}

/** An alias that leads out of what the zone knows: with what its target has. */
function follow(zone: Zone, found: ZoneLookup, target: string, request: DnsRequest, dnssecOk: boolean): Awaitable<ZoneLookup> {
  const { type } = request.question;
  if (found.answers.filter((record) => record.type === recordTypes.CNAME).length > maxHops) return { ...found, kind: "failure" };
  return after(request.resolve(target, type), (there) => {
    const kind = there === undefined ? "failure" : kindOf(there);
    const answers = [...found.answers, ...(there?.answers ?? [])];
    return { kind, answers, authorities: authorityFor(zone, kind, dnssecOk), additionals: additionalFor(zone, answers, dnssecOk) };
  });
}

function kindOf({ rcode, answers }: Message): ZoneAnswer {
  if (rcode === rcodes.NXDOMAIN) return "nameError";
  if (rcode === rcodes.SERVFAIL) return "failure";
  return rcode === rcodes.NOERROR && answers.length === 0 ? "noData" : "success";
}

function outcomeOf(found: ZoneLookup, plugin: string, { message, question }: DnsRequest): Outcome {
  const { kind, answers, authorities, additionals } = found;
  if (kind === "failure" && answers.length === 0) return failure(rcodes.SERVFAIL, new Error(`${question.name} leads nowhere in its zone`));
  const rcode = kind === "nameError" ? rcodes.NXDOMAIN : kind === "failure" ? rcodes.SERVFAIL : rcodes.NOERROR;
  // A referral alone is not the word of who owns the name.
  const authoritative = kind !== "delegation" || answers.length > 0;
  return reply(plugin, createReply(message, { rcode, authoritative, answers, authorities, additionals }));
}
