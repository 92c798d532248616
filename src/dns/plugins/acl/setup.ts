import { recordTypes, typeCode } from "../../../decide/dns/records.ts";
import { parseCidr, type Cidr } from "../../../lib/ip.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import { zonesOrBlock } from "../../corefile/zones.ts";
import type { PluginEntry } from "../../plugin.ts";
import { aclHandler, type AclAction, type AclPolicy, type AclRule } from "./handler.ts";

const actions: readonly AclAction[] = ["allow", "block", "filter", "drop"];

export const acl: PluginEntry = {
  name: "acl",
  setup(reader, { zones, environment }) {
    const rules: AclRule[] = [];
    while (reader.next()) {
      const named = zonesOrBlock(reader.args(), zones);
      const policies: AclPolicy[] = [];
      while (reader.nextInBlock()) policies.push(readPolicy(reader));
      rules.push({ zones: named, policies });
    }
    return { handlers: [aclHandler(rules, environment.metrics)] };
  },
};

/** ACTION [type TYPE...] [net SOURCE...] */
function readPolicy(reader: TokenReader): AclPolicy {
  const action = actions.find((one) => one === reader.value.toLowerCase());
  if (action === undefined) throw reader.error(`unexpected token '${reader.value}'; expect ${actions.map((one) => `'${one}'`).join(", ")}`);
  const sections = { type: undefined as string[] | undefined, net: undefined as string[] | undefined };
  let current: string[] | undefined;
  for (const word of reader.args()) {
    const section = word.toLowerCase();
    if (section === "type" || section === "net") current = sections[section] = [];
    else if (current === undefined) throw reader.error(`unexpected token '${word}'; expect 'type | net'`);
    else current.push(word);
  }
  for (const [name, words] of Object.entries(sections)) {
    if (words?.length === 0) throw reader.error(`no token specified in '${name}' section`);
  }
  return { action, types: readTypes(reader, sections.type ?? []), nets: readNets(reader, sections.net ?? []) };
}

function readTypes(reader: TokenReader, words: readonly string[]): ReadonlySet<number> {
  if (words.includes("*")) return new Set();
  return new Set(
    words.map((word) => {
      const code = word.toUpperCase() === "ANY" ? recordTypes.ANY : typeCode(word);
      if (code === undefined) throw reader.error(`unexpected token '${word}'; expect legal QTYPE`);
      return code;
    }),
  );
}

function readNets(reader: TokenReader, words: readonly string[]): readonly Cidr[] {
  if (words.includes("*")) return [];
  return words.map((word) => {
    const cidr = parseCidr(word.includes("/") ? word : `${word}/${word.includes(":") ? 128 : 32}`);
    if (cidr === undefined) throw reader.error(`illegal CIDR notation '${word}'`);
    return cidr;
  });
}
