/** What expressions of `view` and `template` can ask of a query (CoreDNS `plugin/pkg/expression`). */
import { className, typeName } from "../../decide/dns/records.ts";
import { cidrContains, parseCidr, parseIp } from "../../lib/ip.ts";
import type { DnsRequest } from "../plugin.ts";
import type { Names, Value } from "./compile.ts";

export const queryFunctions: Names<DnsRequest>["functions"] = {
  name: ({ name }) => name,
  type: ({ question }) => typeName(question.type),
  class: ({ question }) => className(question.class),
  proto: ({ client }) => client.protocol,
  size: ({ size }) => size,
  id: ({ message }) => message.id,
  opcode: ({ message }) => message.opcode,
  do: ({ message }) => message.edns?.dnssecOk === true,
  bufsize: ({ message }) => message.edns?.udpSize ?? 512,
  client_ip: ({ client }) => client.address,
  port: ({ client }) => String(client.port),
  server_ip: ({ client }) => client.local?.address ?? "",
  server_port: ({ client }) => String(client.local?.port ?? ""),
  metadata: ({ labels }, label) => labels?.get(String(label))?.() ?? "",
  incidr: (_, address, block) => inCidr(address, block),
};

function inCidr(address: Value, block: Value): boolean {
  const ip = parseIp(String(address));
  const cidr = parseCidr(String(block));
  if (ip === undefined) throw new TypeError(`${JSON.stringify(address)} is no IP address`);
  if (cidr === undefined) throw new TypeError(`${JSON.stringify(block)} is no CIDR block`);
  return cidrContains(cidr, ip);
}
