import { networkInterfaces, type NetworkInterfaceInfo } from "node:os";
import { formatIp, parseIp } from "../../../lib/ip.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import type { PluginEntry } from "../../plugin.ts";

export const bind: PluginEntry = {
  name: "bind",
  setup(reader, block) {
    const hosts: string[] = [];
    const except: string[] = [];
    while (reader.next()) {
      const words = reader.args();
      if (words.length === 0) throw reader.error("at least one address or interface name is expected");
      hosts.push(...words.flatMap((word) => addressesOf(reader, word)));
      while (reader.nextInBlock()) {
        if (reader.value !== "except") throw reader.error(`unknown property '${reader.value}'; expected except`);
        const left = reader.args();
        if (left.length === 0) throw reader.error("at least one address or interface must be given to except");
        except.push(...left.flatMap((word) => addressesOf(reader, word)));
      }
    }
    block.bind = [...new Set(hosts.filter((host) => !except.includes(host)))];
    return {};
  },
};

/** An address, or all that an interface of this machine has. */
function addressesOf(reader: TokenReader, word: string): readonly string[] {
  const ip = parseIp(word);
  if (ip !== undefined) return [formatIp(ip)];
  const found = networkInterfaces()[word];
  if (found === undefined) throw reader.error(`not a valid IP address or interface name: ${word}`);
  return found.map((one: NetworkInterfaceInfo) =>
    one.scopeid !== undefined && one.scopeid !== 0 ? `${one.address}%${word}` : one.address,
  );
}
