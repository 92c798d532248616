/** Which header lines go on: what is the connection's own stays, and nobody says for a client who it is. */
import type { Field } from "./fields.ts";

/** The lines of the fields that `keep` wants, copied in runs. */
export function keptLines(text: string, fields: readonly Field[], keep: (field: Field) => boolean): string {
  let out = "";
  let from = -1;
  let to = 0;
  for (const field of fields) {
    if (keep(field)) {
      if (from < 0) from = field.start;
      to = field.end;
    } else if (from >= 0) {
      out += text.slice(from, to);
      from = -1;
    }
  }
  return from < 0 ? out : out + text.slice(from, to);
}

/** Of a request, to the endpoint. Host, framing and Upgrade are written anew. */
export function goesToEndpoint({ role, name }: Field, connection: readonly string[]): boolean {
  return (role === "end-to-end" || role === "expect") && !(connection.length > 0 && connection.includes(name));
}

/** Of an answer, to the client. */
export function goesToClient({ role, name }: Field, connection: readonly string[]): boolean {
  return (role === "end-to-end" || role === "client-identity") && !(connection.length > 0 && connection.includes(name));
}
