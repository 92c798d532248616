/** One question to one server, for plugins that ask now and then: NOTIFY, refresh of a zone, transfers. */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { foldName } from "../../decide/dns/name.ts";
import type { Clock } from "../../lib/clock.ts";
import { joinHostPort } from "../../lib/ip.ts";
import { decode } from "../wire/decode.ts";
import { encode } from "../wire/encode.ts";
import type { Message } from "../wire/message.ts";

export interface ExchangeTarget {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly localAddress?: string;
}

/** Whether a message answers this very query: anything else may be a forgery. */
export function isAnswerTo(query: Message, message: Message): boolean {
  const [asked, echoed] = [query.questions[0], message.questions[0]];
  if (!message.response || message.id !== query.id) return false;
  if (asked === undefined || echoed === undefined) return asked === echoed || message.rcode !== 0;
  return foldName(asked.name) === foldName(echoed.name) && asked.type === echoed.type && asked.class === echoed.class;
}

/** Rejects when there is no answer in time. */
export function exchangeUdp(query: Message, target: ExchangeTarget): Promise<Message> {
  const { host, port, clock, timeoutMs, localAddress } = target;
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    const end = (act: () => void) => {
      timer.cancel();
      socket.close();
      act();
    };
    const timer = clock.after(timeoutMs, () =>
      end(() => reject(new Error(`${joinHostPort(host, port)} did not answer within ${timeoutMs} ms`))),
    );
    socket.once("error", (error) => end(() => reject(error)));
    socket.on("message", (packet) => {
      const decoded = decode(packet);
      if (decoded.kind === "ok" && isAnswerTo(query, decoded.message)) end(() => resolve(decoded.message));
    });
    socket.bind({ port: 0, ...(localAddress === undefined ? {} : { address: localAddress }) }, () => {
      socket.connect(port, host, () => socket.send(encode(query), (error) => void (error !== null && end(() => reject(error)))));
    });
  });
}

/**
 * The messages that answer one query by TCP, one after the other, until the reader stops or the connection ends. The time is for
 * each of them.
 */
export async function* messagesTcp(query: Message, target: ExchangeTarget): AsyncGenerator<Message> {
  const { host, port, clock, timeoutMs, localAddress } = target;
  const socket = connect({ host, port, ...(localAddress === undefined ? {} : { localAddress }) });
  const expire = () =>
    clock.after(timeoutMs, () => socket.destroy(new Error(`${joinHostPort(host, port)} did not answer within ${timeoutMs} ms`)));
  let timer = expire();
  const bytes = encode(query);
  const length = Buffer.from([bytes.length >> 8, bytes.length & 0xff]);
  socket.write(Buffer.concat([length, bytes]));
  let received = Buffer.alloc(0);
  try {
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        timer.cancel();
        timer = expire();
        const size = received.readUInt16BE(0);
        const decoded = decode(received.subarray(2, 2 + size));
        received = received.subarray(2 + size);
        if (decoded.kind === "error") throw new Error(`${joinHostPort(host, port)} sent no DNS message: ${decoded.reason}`);
        yield decoded.message;
      }
    }
  } finally {
    timer.cancel();
    socket.destroy();
  }
}
