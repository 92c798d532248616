/** Records and messages as people read them: one line a record in the form of zone files (RFC 1035 5.1), as `dig` prints it. */
import { className, type RecordData, type ResourceRecord, rcodeName, typeName } from "../../decide/dns/records.ts";
import { opcodes, type Message } from "./message.ts";
import { fieldsOf, formatFields } from "./rdata-fields.ts";
import { FormatError } from "./reader.ts";
import { svcParamText } from "./svcb-text.ts";

/** `web.shop.svc.cluster.local. 30 IN A 10.96.0.7` */
export function recordText(record: ResourceRecord): string {
  return `${record.name} ${record.ttl} ${className(record.class)} ${typeName(record.type)} ${dataText(record.data, record.type)}`;
}

/** The data alone: `10.96.0.7`, `0 100 80 web.shop.svc.cluster.local.` */
export function dataText(data: RecordData, type?: number): string {
  switch (data.kind) {
    case "address":
      return data.address;
    case "name":
      return data.target;
    case "soa":
      return `${data.mname} ${data.rname} ${data.serial} ${data.refresh} ${data.retry} ${data.expire} ${data.minimum}`;
    case "mx":
      return `${data.preference} ${data.exchange}`;
    case "srv":
      return `${data.priority} ${data.weight} ${data.port} ${data.target}`;
    case "txt":
      return data.strings.map(quoted).join(" ");
    case "hinfo":
      return `${quoted(data.cpu)} ${quoted(data.os)}`;
    case "names":
      return `${data.first} ${data.second}`;
    case "caa":
      return `${data.flags} ${data.tag} ${quoted(data.value)}`;
    case "svcb":
      return [data.priority, data.target, ...data.params.map(svcParamText)].join(" ");
    case "naptr":
      return [data.order, data.preference, ...[data.flags, data.services, data.regexp].map(quoted), data.replacement].join(" ");
    case "opaque":
      return opaqueText(data.bytes, type);
  }
}

/** By its fields where the type has known ones, else in the form of RFC 3597. */
function opaqueText(bytes: Uint8Array, type: number | undefined): string {
  const kinds = type === undefined ? undefined : fieldsOf(type);
  try {
    if (kinds !== undefined && bytes.length > 0) return formatFields(kinds, bytes);
  } catch (error) {
    // What somebody else sent need not be well formed.
    if (!(error instanceof FormatError)) throw error;
  }
  return `\\# ${bytes.length}${bytes.length === 0 ? "" : ` ${Buffer.from(bytes).toString("hex")}`}`;
}

function quoted(text: string): string {
  const inner = text.replace(/["\\]/g, "\\$&").replace(/[^ -~]/g, (char) => `\\${String(char.charCodeAt(0) & 0xff).padStart(3, "0")}`);
  return `"${inner}"`;
}

/** `NOERROR aa rd; web. IN A; answer: …` on one line, for logs and test failures. */
export function messageText(message: Message): string {
  const flags = [
    message.response && "qr",
    message.authoritative && "aa",
    message.truncated && "tc",
    message.recursionDesired && "rd",
    message.recursionAvailable && "ra",
    message.authenticData && "ad",
    message.checkingDisabled && "cd",
  ].filter(Boolean);
  const question = message.questions.map(({ name, type, class: of }) => `${name} ${className(of)} ${typeName(type)}`);
  const sections = (["answers", "authorities", "additionals"] as const)
    .filter((section) => message[section].length > 0)
    .map((section) => `${section}: ${message[section].map(recordText).join(", ")}`);
  const opcode = message.opcode === opcodes.QUERY ? [] : [`opcode ${message.opcode}`];
  return [[rcodeName(message.rcode), ...opcode, ...flags].join(" "), ...question, ...sections].join("; ");
}
