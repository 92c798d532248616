/**
 * gRPC-Web in front of endpoints that speak gRPC (grpc `doc/PROTOCOL-WEB.md`): browsers can neither read trailers nor be sure of HTTP/2, so
 * trailers go as a last frame of the body; in the `-text` form all of it is base64. The messages themselves are the same in both.
 */
import type { HeaderChange } from "../../decide/routes/index.ts";
import type { Field } from "../http1/fields.ts";
import type { ClientSide, Exchange, ProxiedRequest } from "./client-side.ts";

export interface GrpcWeb {
  /** Base64, each piece by itself. */
  readonly text: boolean;
  /** `+proto`, or "". */
  readonly message: string;
}

export function grpcWebOf({ header }: Pick<ProxiedRequest, "header">): GrpcWeb | undefined {
  const found = /^application\/grpc-web(-text)?(\+[a-z]+)?(?:;|$)/.exec(header("content-type")?.toLowerCase() ?? "");
  return found === null ? undefined : { text: found[1] !== undefined, message: found[2] ?? "" };
}

/** A body of base64 has no length that the endpoint could be told, and cannot be cut out of chunks here. */
export function isTranslatable(request: ProxiedRequest, { text }: GrpcWeb): boolean {
  return !text || request.body.kind !== "chunked" || !request.framed;
}

/** The request as the endpoint is to get it. */
export function grpcRequest(request: ProxiedRequest, { text }: GrpcWeb): ProxiedRequest {
  return text && request.body.kind === "length" ? { ...request, body: { kind: "chunked" }, framed: false } : request;
}

export function grpcChange({ message }: GrpcWeb): HeaderChange {
  return { set: [{ name: "content-type", value: `application/grpc${message}` }], add: [], remove: ["x-grpc-web"] };
}

/** Gives the exchange bare messages. */
export function grpcBody(exchange: Exchange, { text }: GrpcWeb): Exchange {
  if (!text) return exchange;
  let rest = "";
  return {
    write: (bytes) => {
      // Four characters are three bytes; what is left over waits for the next piece. Padding may come in the middle.
      const all = rest + bytes.toString("latin1");
      const whole = all.length - (all.length % 4);
      rest = all.slice(whole);
      const decoded = Buffer.concat((all.slice(0, whole).match(/[^=]+=*/g) ?? []).map((part) => Buffer.from(part, "base64")));
      return decoded.length === 0 ? true : exchange.write(decoded);
    },
    end: (trailers) => exchange.end(trailers),
    resume: () => exchange.resume(),
    abort: () => exchange.abort(),
  };
}

/** The client's side of it: what is said to it comes from an endpoint that speaks gRPC. */
export function grpcWebClient(client: ClientSide, { text, message }: GrpcWeb): ClientSide {
  const send = (bytes: Buffer): boolean => {
    const piece = text ? Buffer.from(bytes.toString("base64"), "latin1") : bytes;
    return client.write(
      client.framed ? Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]) : piece,
    );
  };
  let isGrpc = false;
  return {
    framed: false,
    interim: (...words) => client.interim(...words),
    respond: (head) => {
      isGrpc = /^content-type: *application\/grpc(?:[+;]|\r?$)/im.test(head.lines) && head.body.kind !== "none";
      const type = `Content-Type: application/grpc-web${text ? "-text" : ""}${message}\r\n`;
      if (isGrpc) client.respond({ ...head, body: { kind: "stream" }, lines: head.lines.replace(/^content-type:.*\r\n/im, type) });
      else client.respond(head);
    },
    write: (bytes) => (isGrpc ? send(bytes) : client.write(bytes)),
    flush: () => client.flush(),
    end: (trailers) => {
      if (isGrpc) send(trailerFrame(trailers));
      client.end(isGrpc ? [] : trailers);
    },
    tunnel: (...words) => client.tunnel(...words),
    abort: () => client.abort(),
    resumeBody: () => client.resumeBody(),
  };
}

/** The first byte's highest bit says that it is no message. */
const trailersFlag = 0x80;

function trailerFrame(trailers: readonly Field[]): Buffer {
  const block = Buffer.from(trailers.map(({ name, value }) => `${name.toLowerCase()}: ${value}\r\n`).join(""), "latin1");
  const head = Buffer.alloc(5);
  head[0] = trailersFlag;
  head.writeUInt32BE(block.length, 1);
  return Buffer.concat([head, block]);
}
