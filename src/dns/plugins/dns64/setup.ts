import { parseCidr, type Cidr } from "../../../lib/ip.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import type { PluginEntry } from "../../plugin.ts";
import { dns64Handler } from "./handler.ts";

const wellKnown = "64:ff9b::/96";
/** RFC 6052 2.2. */
const lengths: readonly number[] = [32, 40, 48, 56, 64, 96];

export const dns64: PluginEntry = {
  name: "dns64",
  setup(reader, { environment }) {
    reader.next();
    const [prefixText = wellKnown, ...more] = reader.args();
    if (more.length > 0) throw reader.argumentError();
    let prefix = readPrefix(reader, prefixText);
    let translateAll = false;
    let allowIpv4 = false;
    while (reader.nextInBlock()) {
      if (reader.value === "prefix") prefix = readPrefix(reader, reader.exactly(1)[0] ?? "");
      else if (reader.value === "translate_all") translateAll = reader.exactly(0).length === 0;
      else if (reader.value === "allow_ipv4") allowIpv4 = reader.exactly(0).length === 0;
      else throw reader.error(`unknown property '${reader.value}'; expected prefix, translate_all or allow_ipv4`);
    }
    const count = environment.metrics.counter("coredns_dns64_requests_translated_total", "Counter of DNS requests translated by dns64.", [
      "server",
    ]);
    return { handlers: [dns64Handler({ prefix, translateAll, allowIpv4, translated: (server) => count.labels(server).inc() })] };
  },
};

function readPrefix(reader: TokenReader, text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr?.family !== 6) throw reader.error(`'${text}' is not an IPv6 prefix`);
  if (!lengths.includes(cidr.bits)) throw reader.error(`prefix '${text}' has length ${cidr.bits}, must be one of ${lengths.join(", ")}`);
  return cidr;
}
