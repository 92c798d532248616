/** Reads a table back from the kernel. */
import type { TableListing } from "../../lib/nftables/listing.ts";
import type { BaseHook, SetDeclaration, Statement, Table } from "../../lib/nftables/ruleset.ts";
import { readAttributes, type NetlinkMessage } from "../netlink/reader.ts";
import { dumpSlowly, type NetlinkSocket } from "../netlink/socket.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";
import * as c from "./constants.ts";
import { hookNumbers, writeList, type Listed } from "./messages.ts";
import { number, text } from "./read-attributes.ts";
import { elementDecoder, typeCode, typesOf } from "./read-elements.ts";
import { isSameRule } from "./same-rules.ts";

interface ReadChain {
  readonly hook: BaseHook | undefined;
  readonly rules: Uint8Array[];
}

interface ReadSet {
  readonly flags: number;
  readonly keyType: number;
  readonly dataType: number;
  readonly size: number;
  readonly elements: Map<string, string>;
}

/** `pause` is awaited between the parts of the lists. Throws EINTR where somebody changed the table meanwhile. */
export async function readTable(
  socket: NetlinkSocket,
  writer: NetlinkWriter,
  table: Table,
  pause: () => Promise<void>,
): Promise<TableListing> {
  const chains = new Map<string, ReadChain>();
  const sets = new Map<string, ReadSet>();
  const list = (what: Listed, use: (attributes: ReadonlyMap<number, Uint8Array>) => void, set?: string) =>
    dumpSlowly(
      socket,
      writer,
      (w) => writeList(w, table, what, set),
      (messages) => {
        for (const message of messages) use(attributesOf(message));
      },
      pause,
    );
  await list("chains", (attributes) => {
    if (text(attributes, c.NFTA_CHAIN_TABLE) === table.name)
      chains.set(text(attributes, c.NFTA_CHAIN_NAME), { hook: hookOf(attributes), rules: [] });
  });
  await list("rules", (attributes) => {
    const rule = attributes.get(c.NFTA_RULE_EXPRESSIONS) ?? new Uint8Array();
    if (text(attributes, c.NFTA_RULE_TABLE) === table.name) chains.get(text(attributes, c.NFTA_RULE_CHAIN))?.rules.push(rule);
  });
  await list("sets", (attributes) => {
    if (text(attributes, c.NFTA_SET_TABLE) === table.name) sets.set(text(attributes, c.NFTA_SET_NAME), setOf(attributes));
  });
  for (const [name, set] of sets) {
    if ((set.flags & c.NFT_SET_EVAL) !== 0) continue;
    const types = { key: typesOf(set.keyType), value: set.dataType === c.NFT_DATA_VERDICT ? ("verdict" as const) : typesOf(set.dataType) };
    // Of types that are not ours: whoever made it, the set is not the same.
    if (types.key === undefined || types.value === undefined) continue;
    const decode = elementDecoder(types.key, types.value);
    await list("elements", (attributes) => decode(attributes, set.elements), name);
  }
  return new KernelListing(table, chains, sets);
}

class KernelListing implements TableListing {
  readonly #table: Table;
  readonly #chains: ReadonlyMap<string, ReadChain>;
  readonly #sets: ReadonlyMap<string, ReadSet>;

  constructor(table: Table, chains: ReadonlyMap<string, ReadChain>, sets: ReadonlyMap<string, ReadSet>) {
    this.#table = table;
    this.#chains = chains;
    this.#sets = sets;
  }

  get chains(): Iterable<string> {
    return this.#chains.keys();
  }

  get sets(): Iterable<string> {
    return this.#sets.keys();
  }

  sameHook(chain: string, base: BaseHook | undefined): boolean | undefined {
    const found = this.#chains.get(chain);
    return found === undefined ? undefined : JSON.stringify(found.hook) === JSON.stringify(base);
  }

  sameRules(chain: string, rules: readonly (readonly Statement[])[]): boolean {
    const found = this.#chains.get(chain)?.rules ?? [];
    return found.length === rules.length && rules.every((rule, i) => isSameRule(found[i] as Uint8Array, this.#table, rule));
  }

  sameSet(declaration: SetDeclaration): boolean | undefined {
    const found = this.#sets.get(declaration.name);
    if (found === undefined) return undefined;
    const { key, value, flags = [], size = 0 } = declaration;
    const wanted = (flags.includes("dynamic") ? c.NFT_SET_EVAL : 0) | (flags.includes("timeout") ? c.NFT_SET_TIMEOUT : 0);
    const known = c.NFT_SET_MAP | c.NFT_SET_EVAL | c.NFT_SET_TIMEOUT;
    return (
      (found.flags & known) === (wanted | (value === undefined ? 0 : c.NFT_SET_MAP)) &&
      found.keyType === typeCode(key) &&
      found.dataType === (value === undefined ? 0 : value === "verdict" ? c.NFT_DATA_VERDICT : typeCode(value)) &&
      found.size === size
    );
  }

  elements(set: string): ReadonlyMap<string, string> {
    return this.#sets.get(set)?.elements ?? new Map();
  }
}

function attributesOf({ payload }: NetlinkMessage): ReadonlyMap<number, Uint8Array> {
  return readAttributes(payload.subarray(4));
}

function hookOf(attributes: ReadonlyMap<number, Uint8Array>): BaseHook | undefined {
  const hook = attributes.get(c.NFTA_CHAIN_HOOK);
  if (hook === undefined) return undefined;
  const parts = readAttributes(hook);
  const at = number(parts, c.NFTA_HOOK_HOOKNUM);
  const [name] = Object.entries(hookNumbers).find(([, one]) => one === at) ?? [];
  return {
    type: text(attributes, c.NFTA_CHAIN_TYPE) as BaseHook["type"],
    hook: name as BaseHook["hook"],
    priority: number(parts, c.NFTA_HOOK_PRIORITY) | 0,
  };
}

function setOf(attributes: ReadonlyMap<number, Uint8Array>): ReadSet {
  const desc = attributes.get(c.NFTA_SET_DESC);
  return {
    flags: number(attributes, c.NFTA_SET_FLAGS),
    keyType: number(attributes, c.NFTA_SET_KEY_TYPE),
    dataType: number(attributes, c.NFTA_SET_DATA_TYPE),
    size: desc === undefined ? 0 : number(readAttributes(desc), c.NFTA_SET_DESC_SIZE),
    elements: new Map(),
  };
}
