/** The format language of `log` (CoreDNS `plugin/pkg/replacer`): text with `{type}`, `{remote}`, `{>rflags}`, `{/plugin/label}`. */
import { className, rcodeName, typeName } from "../../../decide/dns/records.ts";
import { rcodeOf, type DnsRequest, type Outcome } from "../../plugin.ts";
import { encode } from "../../wire/encode.ts";
import type { Message } from "../../wire/message.ts";

export interface LoggedQuery {
  readonly request: DnsRequest;
  readonly outcome: Outcome;
  readonly tookMs: number;
}

export type LineFormat = (query: LoggedQuery) => string;

export const commonFormat =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}';
const combinedFormat = `${commonFormat} "{>opcode}"`;

const none = "-";
const messageOf = (outcome: Outcome): Message | undefined => (outcome.kind === "reply" ? outcome.message : undefined);

const fields: Readonly<Record<string, LineFormat>> = {
  "{type}": ({ request }) => typeName(request.question.type),
  "{name}": ({ request }) => request.question.name,
  "{class}": ({ request }) => className(request.question.class),
  "{proto}": ({ request }) => request.client.protocol,
  "{size}": ({ request }) => String(request.size),
  "{remote}": ({ request }) => (request.client.address.includes(":") ? `[${request.client.address}]` : request.client.address),
  "{port}": ({ request }) => String(request.client.port),
  "{local}": ({ request }) => request.client.local?.address ?? none,
  "{rcode}": ({ outcome }) => rcodeName(rcodeOf(outcome)),
  "{rsize}": ({ outcome }) => {
    const message = messageOf(outcome);
    return message === undefined ? "0" : String(encode(message).length);
  },
  "{duration}": ({ tookMs }) => `${(tookMs / 1000).toFixed(9)}s`,
  "{>rflags}": ({ outcome }) => {
    const message = messageOf(outcome);
    return message === undefined ? none : flagText(message);
  },
  "{>id}": ({ request }) => String(request.message.id),
  "{>opcode}": ({ request }) => String(request.message.opcode),
  "{>do}": ({ request }) => String(request.message.edns?.dnssecOk === true),
  "{>bufsize}": ({ request }) => String(request.message.edns?.udpSize ?? 512),
};

/** What is not known stays as it is written. */
export function parseFormat(text: string): LineFormat {
  const parts = text
    .replaceAll("{combined}", combinedFormat)
    .replaceAll("{common}", commonFormat)
    .split(/(\{[^{}]+\})/)
    .map((part): LineFormat => {
      const known = Object.hasOwn(fields, part) ? fields[part] : undefined;
      if (known !== undefined) return known;
      const [, label] = /^\{\/(.+)\}$/.exec(part) ?? [];
      return label === undefined ? () => part : ({ request }) => request.labels?.get(label)?.() || none;
    });
  return (query) => parts.map((part) => part(query)).join("");
}

function flagText(message: Message): string {
  const flags = [
    message.response && "qr",
    message.authoritative && "aa",
    message.truncated && "tc",
    message.recursionDesired && "rd",
    message.recursionAvailable && "ra",
    message.authenticData && "ad",
    message.checkingDisabled && "cd",
  ];
  return flags.filter(Boolean).join(",") || none;
}
