/**
 * The same over HTTP/2: what its framing can carry and HTTP/1.1 cannot, each trying to bring `GET /smuggled` into the connection to an
 * endpoint (the "H2.CL", "H2.TE" and header-injection families that were published in 2021).
 */
import { encodeFields, flags, type Frame } from "../../src/gateway/testing-http2.ts";

type Fields = readonly (readonly [name: string, value: string])[];

export interface FrameAttack {
  readonly name: string;
  readonly frames: readonly Frame[];
}

const hidden = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

function pseudo(changed: Readonly<Record<string, string>> = {}): Fields {
  const all = { ":method": "POST", ":scheme": "http", ":path": "/outer", ":authority": "a", ...changed };
  return Object.entries(all);
}

function request(name: string, fields: Fields, body?: string): FrameAttack {
  const head: Frame = {
    type: "headers",
    flags: flags.endHeaders | (body === undefined ? flags.endStream : 0),
    stream: 1,
    payload: encodeFields(fields),
  };
  const data: Frame = { type: "data", flags: flags.endStream, stream: 1, payload: Buffer.from(body ?? "") };
  return { name: `HTTP/2 ${name}`, frames: body === undefined ? [head] : [head, data] };
}

const field = (name: string, key: string, value: string, body = `0\r\n\r\n${hidden}`) => request(name, [...pseudo(), [key, value]], body);

export const frameAttacks: readonly FrameAttack[] = [
  field("CL: less than the body", "content-length", "0", hidden),
  field("CL: more than the body", "content-length", "500", "x"),
  field("CL: a sign", "content-length", "+0", hidden),
  field("CL: a list", "content-length", `0, ${hidden.length}`, hidden),
  request("CL: two", [...pseudo(), ["content-length", "0"], ["content-length", String(hidden.length)]], hidden),
  field("CL: not a number", "content-length", "x", hidden),
  field("TE", "transfer-encoding", "chunked"),
  field("TE: in another case", "Transfer-Encoding", "chunked"),
  field("TE: space in the name", "transfer-encoding ", "chunked"),
  field("TE: colon in the name", "transfer-encoding: chunked\r\nx", "y"),
  field("TE: by a value's CR LF", "x", "y\r\ntransfer-encoding: chunked"),
  field("TE: by a value's LF", "x", "y\ntransfer-encoding: chunked"),
  field("TE: by a value's CR", "x", "y\rtransfer-encoding: chunked"),
  field("TE: by a name's CR LF", "x\r\ntransfer-encoding", "chunked"),
  field("TE: with NUL", "transfer-encoding", "chunked\0"),
  field("Connection", "connection", "transfer-encoding"),
  field("Upgrade", "upgrade", "h2c"),
  field("Keep-Alive", "keep-alive", "timeout=5"),
  field("Proxy-Connection", "proxy-connection", "keep-alive"),
  field("a request in a value", "x", `y\r\n\r\n${hidden}`),
  field("a request in a name", `x: y\r\n\r\n${hidden}`, "z"),
  field("an empty name", "", "x"),
  request("a request in the path", pseudo({ ":path": `/outer HTTP/1.1\r\nHost: a\r\n\r\n${hidden}` })),
  request("a space in the path", pseudo({ ":path": "/outer HTTP/1.1" })),
  request("a LF in the path", pseudo({ ":path": "/outer\nX: y" })),
  request("a path without a slash", pseudo({ ":path": "outer" })),
  request("an absolute path", pseudo({ ":path": "http://b/outer" })),
  request("an empty path", pseudo({ ":path": "" })),
  request("a request in the method", pseudo({ ":method": `GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nGET` })),
  request("a space in the method", pseudo({ ":method": "GET /smuggled" })),
  request("CONNECT", [
    [":method", "CONNECT"],
    [":authority", "a:80"],
  ]),
  request("a request in the authority", pseudo({ ":authority": `a\r\n\r\n${hidden}` })),
  request("a space in the authority", pseudo({ ":authority": "a b" })),
  request("a user in the authority", pseudo({ ":authority": "b@a" })),
  request("another Host", [...pseudo(), ["host", "b"]]),
  request("two Hosts", [...pseudo(), ["host", "a"], ["host", "b"]]),
  request("two paths", [...pseudo(), [":path", "/smuggled"]]),
  request("two methods", [...pseudo(), [":method", "GET"]]),
  request("a path after a header", [
    [":method", "GET"],
    ["x", "y"],
    [":path", "/smuggled"],
    [":scheme", "http"],
    [":authority", "a"],
  ]),
  request("a request in the scheme", pseudo({ ":scheme": `http://a/ HTTP/1.1\r\n\r\n${hidden}` })),
  request("a request in a cookie", [...pseudo(), ["cookie", "a=b"], ["cookie", `c=d\r\n\r\n${hidden}`]]),
  request("a body that is a request", pseudo(), hidden),
  {
    name: "HTTP/2 Content-Length in the trailer",
    frames: [
      { type: "headers", flags: flags.endHeaders, stream: 1, payload: encodeFields(pseudo()) },
      { type: "data", stream: 1, payload: Buffer.from(hidden) },
      { type: "headers", flags: flags.endHeaders | flags.endStream, stream: 1, payload: encodeFields([["content-length", "0"]]) },
    ],
  },
  {
    name: "HTTP/2 a path in the trailer",
    frames: [
      { type: "headers", flags: flags.endHeaders, stream: 1, payload: encodeFields(pseudo()) },
      { type: "data", stream: 1, payload: Buffer.from("x") },
      { type: "headers", flags: flags.endHeaders | flags.endStream, stream: 1, payload: encodeFields([[":path", "/smuggled"]]) },
    ],
  },
];
