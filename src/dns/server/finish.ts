/** An outcome as what is sent: the reply of a bare code, EDNS as the client speaks it, within what the client can take. */
import { rcodes } from "../../decide/dns/records.ts";
import type { ClientAddress, NoReply, Outcome } from "../plugin.ts";
import { encode, maxTcpBytes, minUdpBytes } from "../wire/encode.ts";
import { extendedErrors, optionCodes, withReason, type ExtendedError } from "../wire/extended-error.ts";
import { createReply, type Edns, type EdnsOption, type Message } from "../wire/message.ts";
import type { Cookies } from "./cookies.ts";

/** The largest answer over UDP, whatever the client says it can take: what passes every network whole (DNS flag day 2020). */
export const maxUdpBytes = 1232;
/** RFC 8467 4.1: answers over encrypted transports are padded to multiples of this when the client pads. */
const paddingBlock = 468;

/** The reply of an outcome, one that only has a code included; undefined when the client gets none. */
export function messageOf(query: Message, outcome: Outcome): Message | undefined {
  switch (outcome.kind) {
    case "drop":
      return undefined;
    case "reply":
      return outcome.message;
    case "transfer":
      return outcome.messages[0];
    case "none":
      return bare(query, outcome);
  }
}

function bare(query: Message, { rcode, reason }: NoReply): Message {
  const reply = createReply(query, { rcode });
  const why = reason ?? usualReason(rcode);
  return why === undefined ? reply : withReason(reply, why);
}

function usualReason(rcode: number): ExtendedError | undefined {
  if (rcode === rcodes.REFUSED) return { code: extendedErrors.PROHIBITED };
  return rcode === rcodes.SERVFAIL ? { code: extendedErrors.OTHER } : undefined;
}

export interface FinishOptions {
  readonly client: ClientAddress;
  readonly cookies: Cookies;
  /** By UDP, besides what the client takes. */
  readonly maxBytes?: number | undefined;
}

/** Throws TypeError for a message that cannot be written. */
export function finish(query: Message, message: Message, { client, cookies, maxBytes = maxUdpBytes }: FinishOptions): Uint8Array {
  const max = client.protocol === "tcp" ? maxTcpBytes : Math.min(udpLimit(query.edns), maxBytes);
  const { edns, ...plain } = message;
  if (query.edns === undefined) return encode({ ...plain, id: query.id, rcode: plain.rcode & 0xf }, max);
  const options = [...(edns?.options ?? []), ...cookieOption(query.edns, client, cookies), ...keepalive(query.edns, client)];
  const replied = { ...plain, id: query.id, edns: { version: 0, udpSize: maxUdpBytes, dnssecOk: query.edns.dnssecOk, options } };
  const bytes = encode(replied, max);
  return wantsPadding(query.edns, client) ? padded(replied, bytes.length) : bytes;
}

/** Bytes that the client takes by UDP. */
export const udpLimit = (edns: Edns | undefined): number => Math.min(Math.max(edns?.udpSize ?? minUdpBytes, minUdpBytes), maxUdpBytes);

function cookieOption({ options }: Edns, { address }: ClientAddress, cookies: Cookies): readonly EdnsOption[] {
  const sent = options.find(({ code }) => code === optionCodes.COOKIE);
  const verdict = sent === undefined ? undefined : cookies.check(sent.data, address);
  return verdict?.kind === "cookie" ? [{ code: optionCodes.COOKIE, data: verdict.reply }] : [];
}

/** RFC 7828: only to who asks, only by TCP. Ten seconds, in units of 100 ms. */
function keepalive({ options }: Edns, { protocol, transport }: ClientAddress): readonly EdnsOption[] {
  const asked = protocol === "tcp" && transport !== "https" && options.some(({ code }) => code === optionCodes.KEEPALIVE);
  return asked ? [{ code: optionCodes.KEEPALIVE, data: Uint8Array.of(0, 100) }] : [];
}

function wantsPadding({ options }: Edns, { transport }: ClientAddress): boolean {
  return transport !== undefined && options.some(({ code }) => code === optionCodes.PADDING);
}

function padded(message: Message & { readonly edns: Edns }, length: number): Uint8Array {
  const room = (paddingBlock - ((length + 4) % paddingBlock)) % paddingBlock;
  if (length + 4 + room > maxTcpBytes) return encode(message, maxTcpBytes);
  const options = [...message.edns.options, { code: optionCodes.PADDING, data: new Uint8Array(room) }];
  return encode({ ...message, edns: { ...message.edns, options } }, maxTcpBytes);
}
