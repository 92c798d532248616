import { recordTypes, addressRecord, rcodes } from "../../../decide/dns/records.ts";
import { sleep, type Clock } from "../../../lib/clock.ts";
import { parseDuration } from "../../corefile/duration.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import { failure, reply, type DnsRequest, type Handler, type Outcome, type PluginEntry } from "../../plugin.ts";
import { createReply } from "../../wire/message.ts";

interface Settings {
  /** Every so many queries; 0: never. */
  drop: number;
  truncate: number;
  delay: number;
  delayMs: number;
  large: boolean;
}

const defaultEvery = 2;
const defaultDelayMs = 100;

export const erratic: PluginEntry = {
  name: "erratic",
  setup(reader, { environment }) {
    const settings: Settings = { drop: 0, truncate: 0, delay: 0, delayMs: defaultDelayMs, large: false };
    let drops = defaultEvery;
    while (reader.next()) {
      if (reader.args().length > 0) throw reader.argumentError();
      while (reader.nextInBlock()) {
        drops = 0;
        readProperty(reader, settings);
      }
    }
    if (drops > 0) settings.drop = drops;
    return { handlers: [handler(settings, environment.clock)] };
  },
};

function readProperty(reader: TokenReader, settings: Settings): void {
  const property = reader.value;
  switch (property) {
    case "drop":
    case "truncate":
      settings[property] = every(reader, reader.args(), 1);
      return;
    case "delay": {
      const args = reader.args();
      settings.delay = every(reader, args, 2);
      const ms = args[1] === undefined ? defaultDelayMs : parseDuration(args[1]);
      if (ms === undefined || ms < 0) throw reader.error(`invalid duration '${args[1]}'`);
      settings.delayMs = ms;
      return;
    }
    case "large":
      settings.large = true;
      return;
    default:
      throw reader.error(`unknown property '${property}'; expected drop, truncate, delay or large`);
  }
}

function every(reader: TokenReader, [text = String(defaultEvery), ...more]: readonly string[], most: number): number {
  if (more.length >= most) throw reader.argumentError();
  if (!/^\d+$/.test(text)) throw reader.error(`invalid amount '${text}'`);
  return Number(text);
}

const answerTo = ({ question, message }: DnsRequest, { large }: Settings, truncated: boolean): Outcome => {
  const address = question.type === recordTypes.A ? "192.0.2.53" : question.type === recordTypes.AAAA ? "2001:db8::53" : undefined;
  if (address === undefined) return failure(rcodes.SERVFAIL);
  const record = addressRecord(question.name, 0, address);
  return reply(
    "erratic",
    createReply(message, { authoritative: true, truncated, answers: Array.from({ length: large ? 30 : 1 }, () => record) }),
  );
};

/** A server that misbehaves, to try clients on. */
function handler(settings: Settings, clock: Clock): Handler {
  let count = 0;
  const falls = (each: number, number: number) => each > 0 && number % each === 0;
  return {
    name: "erratic",
    async serveDNS(request) {
      const number = count++;
      if (falls(settings.drop, number)) return { kind: "drop" };
      if (falls(settings.delay, number)) await sleep(clock, settings.delayMs);
      return answerTo(request, settings, falls(settings.truncate, number));
    },
  };
}
