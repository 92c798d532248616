/** Names and addresses in the form of /etc/hosts (hosts(5)). */
import { absolute, foldName, labelsOf } from "../../../decide/dns/name.ts";
import { formatIp, parseIp, type Ip } from "../../../lib/ip.ts";

export class HostsTable {
  readonly #addresses = new Map<string, string[]>();
  readonly #names = new Map<string, string[]>();

  /** `reverse`: addresses have names too. */
  static parse(text: string, reverse: boolean): HostsTable {
    const table = new HostsTable();
    for (const line of text.split("\n")) table.add(line, reverse);
    return table;
  }

  /** A line that holds no address is passed over. */
  add(line: string, reverse: boolean): void {
    const [address = "", ...names] = line.replace(/#.*$/, "").trim().split(/\s+/);
    const ip = parseIp(address.split("%")[0] as string);
    if (ip === undefined) return;
    const text = formatIp(unmapped(ip));
    for (const name of names.map((one) => foldName(absolute(one)))) {
      push(this.#addresses, name, text);
      if (reverse && !name.startsWith("*.")) push(this.#names, text, name);
    }
  }

  get size(): number {
    return this.#addresses.size;
  }

  /** Of each family: under the name itself, else under `*` in place of its first label. */
  addresses(name: string): readonly string[] {
    const own = this.#addresses.get(name) ?? [];
    const [first = ""] = labelsOf(name);
    const wild = first === "" ? [] : (this.#addresses.get(`*${name.slice(first.length)}`) ?? []);
    const isV6 = (address: string) => address.includes(":");
    return wild.length === 0 ? own : [...own, ...wild.filter((one) => !own.some((other) => isV6(other) === isV6(one)))];
  }

  names(address: string): readonly string[] {
    return this.#names.get(address) ?? [];
  }
}

/** `::ffff:10.0.0.2` is an address of version 4. */
const unmapped = (ip: Ip): Ip => (ip.family === 6 && ip.value >> 32n === 0xffffn ? { family: 4, value: ip.value & 0xffff_ffffn } : ip);

function push(map: Map<string, string[]>, key: string, value: string): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else if (!list.includes(value)) list.push(value);
}
