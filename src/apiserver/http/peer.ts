/** The client's certificate, as authentication wants it. Read once per connection. */
import type { Http2ServerRequest } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { Credentials } from "../auth/authenticate.ts";
import type { HttpRequest } from "./read-request.ts";

type Certificate = NonNullable<Credentials["certificate"]>;

const known = new WeakMap<object, { readonly certificate: Certificate | undefined }>();

export function peerCertificate(request: HttpRequest): Certificate | undefined {
  const session = (request as Partial<Http2ServerRequest>).stream?.session;
  const connection = session ?? request.socket;
  let entry = known.get(connection);
  if (entry === undefined) {
    entry = { certificate: read((session?.socket ?? request.socket) as TLSSocket) };
    known.set(connection, entry);
  }
  return entry.certificate;
}

function read(socket: TLSSocket): Certificate | undefined {
  const { subject } = socket.getPeerCertificate();
  if (subject === undefined) return undefined;
  return { trusted: socket.authorized, commonName: texts(subject.CN)[0] ?? "", organizations: texts(subject.O) };
}

function texts(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === "string" ? [value] : value;
}
