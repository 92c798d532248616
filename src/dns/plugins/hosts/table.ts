/** Names and addresses in the form of /etc/hosts (hosts(5)). */
import { absolute, foldName, labelsOf } from "../../../decide/dns/name.ts";
import { formatIp, parseIp } from "../../../lib/ip.ts";

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
    const text = formatIp(ip);
    for (const name of names.map((one) => foldName(absolute(one)))) {
      push(this.#addresses, name, text);
      if (reverse) push(this.#names, text, name);
    }
  }

  get size(): number {
    return this.#addresses.size;
  }

  /** Under the name itself, else under `*` in place of its first label. */
  addresses(name: string): readonly string[] {
    const own = this.#addresses.get(name);
    if (own !== undefined) return own;
    const [first = ""] = labelsOf(name);
    return first === "" ? [] : (this.#addresses.get(`*${name.slice(first.length)}`) ?? []);
  }

  names(address: string): readonly string[] {
    return this.#names.get(address) ?? [];
  }
}

function push(map: Map<string, string[]>, key: string, value: string): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else if (!list.includes(value)) list.push(value);
}
