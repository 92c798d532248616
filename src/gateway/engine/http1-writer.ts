/** Writes answers onto an HTTP/1.1 connection with as few writes as can be: a head waits for the first piece of its body. */
import type { StreamSocket } from "../../net/stream-socket.ts";
import type { Field } from "../http1/fields.ts";
import type { AnswerHead } from "./client-side.ts";
import { framingLine } from "./lines.ts";

/** Bodies up to this are copied behind their head: one write is cheaper than two. */
const joinBelow = 16_384;

export class AnswerWriter {
  readonly #socket: StreamSocket;
  /** Latin-1 text that goes out with what comes next. */
  #held = "";
  #chunked = false;

  constructor(socket: StreamSocket) {
    this.#socket = socket;
  }

  /** `chunked`: a streamed body is written as chunks (which whoever writes it has framed). `connection`: the line of that name, or "". */
  head({ status, reason, body, lines }: AnswerHead, chunked: boolean, connection: string): void {
    this.#chunked = chunked;
    this.#held = `HTTP/1.1 ${status} ${reason}\r\n${lines}${framingLine(body, chunked)}${connection}\r\n`;
  }

  interim(status: number, reason: string, lines: string): void {
    this.#socket.write(`HTTP/1.1 ${status} ${reason}\r\n${lines}\r\n`, "latin1");
  }

  text(text: string): void {
    this.#held += text;
  }

  /** False: the socket is full. */
  write(bytes: Buffer): boolean {
    const head = this.#held;
    if (head === "") return this.#socket.write(bytes);
    this.#held = "";
    if (bytes.length < joinBelow) return this.#socket.writeBoth?.(head, bytes) ?? this.#socket.write(joined(head, bytes));
    this.#socket.cork();
    this.#socket.write(head, "latin1");
    const room = this.#socket.write(bytes);
    this.#socket.uncork();
    return room;
  }

  flush(): void {
    if (this.#held === "") return;
    this.#socket.write(this.#held, "latin1");
    this.#held = "";
  }

  end(trailers: readonly Field[]): void {
    if (this.#chunked) this.#held += `0\r\n${trailers.map(({ name, value }) => `${name}: ${value}\r\n`).join("")}\r\n`;
    this.#chunked = false;
    this.flush();
  }
}

function joined(head: string, bytes: Buffer): Buffer {
  const all = Buffer.allocUnsafe(head.length + bytes.length);
  all.write(head, 0, "latin1");
  bytes.copy(all, head.length);
  return all;
}
