/** Rules about EDNS options of the request: local ones, NSID, and the client's subnet (RFC 7871). */
import { parseIp } from "../../../lib/ip.ts";
import type { DnsRequest } from "../../plugin.ts";
import { optionCodes } from "../../wire/extended-error.ts";
import type { Edns, EdnsOption, Message } from "../../wire/message.ts";
import { RuleError } from "./match.ts";
import type { Rewritten, Rule } from "./rules.ts";

const actions = ["set", "append", "replace", "unset"] as const;
type Action = (typeof actions)[number];

type DataOf = (request: DnsRequest) => Uint8Array | undefined;

const defaultUdpSize = 4096;

/** local ACTION CODE DATA | nsid ACTION | subnet ACTION V4BITS V6BITS; each may end in `revert`. */
export function ednsRule(args: readonly string[]): Rule["apply"] {
  const [type = "", word = "", ...rest] = args;
  if (args.length < 2) throw new RuleError("too few arguments for an EDNS0 rule");
  const action = actions.find((one) => one === word.toLowerCase());
  const kind = type.toLowerCase();
  const read = Object.hasOwn(readers, kind) ? readers[kind] : undefined;
  if (read === undefined) throw new RuleError(`invalid rule type "${type}"; expected local, nsid or subnet`);
  if (action === undefined) throw new RuleError(`invalid action: "${word}"; expected ${actions.join(", ")}`);
  const revert = rest.at(-1) === "revert";
  if (revert && action === "unset") throw new RuleError("EDNS0 unset cannot be reverted");
  const { code, data } = read(action, revert ? rest.slice(0, -1) : rest);
  return (request) => change(request, action, code, data, revert);
}

const readers: Readonly<Record<string, (action: Action, args: readonly string[]) => { readonly code: number; readonly data: DataOf }>> = {
  local: readLocal,
  nsid(_, args) {
    if (args.length > 0) throw new RuleError("EDNS0 NSID rules do not accept args");
    return { code: optionCodes.NSID, data: () => new Uint8Array(0) };
  },
  subnet: readSubnet,
};

function readLocal(action: Action, args: readonly string[]) {
  if (args.length !== (action === "unset" ? 1 : 2))
    throw new RuleError("EDNS0 local rules require a code and data, to unset the code alone");
  const [codeText = "", text = ""] = args;
  const code = /^(0x[\da-f]+|\d+)$/i.test(codeText) ? Number(codeText) : Number.NaN;
  if (!(code <= 0xffff)) throw new RuleError(`invalid option code '${codeText}'`);
  return { code, data: readData(text) };
}

/** Hexadecimal after `0x`, a variable or label in braces, else the text. */
function readData(text: string): DataOf {
  if (/^\{.*\}$/.test(text)) return readVariable(text.slice(1, -1));
  if (!text.startsWith("0x")) return () => Buffer.from(text);
  const hex = text.slice(2);
  if (!/^([\da-f]{2})*$/i.test(hex)) throw new RuleError(`invalid hexadecimal data '${text}'`);
  return () => Buffer.from(hex, "hex");
}

const u16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff);

const variables: Readonly<Record<string, DataOf>> = {
  qname: ({ question }) => Buffer.from(question.name),
  qtype: ({ question }) => u16(question.type),
  client_ip: ({ client }) => addressBytes(client.address),
  client_port: ({ client }) => u16(client.port),
  protocol: ({ client }) => Buffer.from(client.protocol),
  server_ip: ({ client }) => addressBytes(client.local?.address ?? "") ?? new Uint8Array(0),
  server_port: ({ client }) => u16(client.local?.port ?? 0),
};

function readVariable(name: string): DataOf {
  const known = Object.hasOwn(variables, name) ? variables[name] : undefined;
  if (known !== undefined) return known;
  if (!/^[^/]+(\/[^/]+)+$/.test(name)) throw new RuleError(`unsupported variable name "{${name}}"`);
  return ({ labels }) => {
    const value = labels?.get(name)?.() ?? "";
    return value === "" ? undefined : Buffer.from(value);
  };
}

function addressBytes(text: string): Uint8Array | undefined {
  const ip = parseIp(text);
  return ip === undefined ? undefined : Buffer.from(ip.value.toString(16).padStart(ip.family === 4 ? 8 : 32, "0"), "hex");
}

function readSubnet(action: Action, args: readonly string[]) {
  if (args.length !== (action === "unset" ? 0 : 2)) throw new RuleError("EDNS0 subnet rules require two arguments, to unset none");
  const [v4, v6] = args.map((text, i) => {
    const bits = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(bits <= (i === 0 ? 32 : 128))) throw new RuleError(`invalid IPv${i === 0 ? 4 : 6} bit mask length ${text}`);
    return bits;
  });
  return { code: optionCodes.CLIENT_SUBNET, data: ({ client }: DnsRequest) => subnet(client.address, v4 ?? 0, v6 ?? 0) };
}

/** RFC 7871 6: family, source prefix, scope, as many bytes of the address as the prefix needs. */
function subnet(address: string, v4: number, v6: number): Uint8Array | undefined {
  const bytes = addressBytes(address);
  if (bytes === undefined) return undefined;
  const bits = bytes.length === 4 ? v4 : v6;
  const kept = Uint8Array.from(bytes.subarray(0, Math.ceil(bits / 8)));
  if (bits % 8 > 0) kept[kept.length - 1] = (kept.at(-1) as number) & (0xff << (8 - (bits % 8)));
  return Uint8Array.of(0, bytes.length === 4 ? 1 : 2, bits, 0, ...kept);
}

function change(request: DnsRequest, action: Action, code: number, dataOf: DataOf, revert: boolean): Rewritten | undefined {
  const edns: Edns = request.message.edns ?? { version: 0, udpSize: defaultUdpSize, dnssecOk: false, options: [] };
  const options = changed(edns.options, action, code, () => dataOf(request));
  if (options === undefined) return undefined;
  const before = edns.options.filter((option) => option.code === code);
  const respond = (message: Message): Message => (revert ? restored(message, code, before) : message);
  return { request: { ...request, message: { ...request.message, edns: { ...edns, options } } }, respond };
}

/** Undefined: the rule does not apply to these. */
function changed(
  options: readonly EdnsOption[],
  action: Action,
  code: number,
  dataOf: () => Uint8Array | undefined,
): readonly EdnsOption[] | undefined {
  const there = options.some((option) => option.code === code);
  if (action === "unset") return there ? options.filter((option) => option.code !== code) : undefined;
  if (there ? action === "append" : action === "replace") return undefined;
  const data = dataOf();
  if (data === undefined) return undefined;
  return there ? options.map((option) => (option.code === code ? { code, data } : option)) : [...options, { code, data }];
}

/** An option that the answer says back is as the client sent it, or not there as it was not. */
function restored(message: Message, code: number, before: readonly EdnsOption[]): Message {
  const { edns } = message;
  if (edns === undefined || !edns.options.some((option) => option.code === code)) return message;
  return { ...message, edns: { ...edns, options: [...edns.options.filter((option) => option.code !== code), ...before] } };
}
