import type { HttpAnswer, HttpHandler, HttpLease, PluginEntry } from "../../plugin.ts";
import { cpuProfile, heapProfile } from "./collect.ts";
import { encodeProfile } from "./profile.ts";

const defaultAddress = "localhost:6053";
const base = "/debug/pprof";
const [defaultCpuSeconds, defaultHeapSeconds, maxSeconds] = [30, 5, 120];

const index = `<html><head><title>${base}/</title></head><body>
<p><a href="profile?seconds=10">profile</a>: where the time goes</p>
<p><a href="heap?seconds=5">heap</a>: what is allocated and stays</p>
<p><a href="cmdline">cmdline</a></p>
</body></html>
`;

export const pprof: PluginEntry = {
  name: "pprof",
  setup(reader, { environment }) {
    reader.next();
    const [address = defaultAddress, ...more] = reader.args();
    if (more.length > 0) throw reader.argumentError();
    if (!/^.*:\d+$/.test(address)) throw reader.error(`address ${address}: missing port in address`);
    while (reader.nextInBlock()) {
      if (reader.value !== "block") throw reader.error(`unknown property '${reader.value}'; expected block`);
      const [rate, ...others] = reader.args();
      // There are no locks to block on; the property is there for Corefiles that have it.
      if (others.length > 0) throw reader.argumentError();
      if (rate !== undefined && !/^[1-9]\d*$/.test(rate)) throw reader.error(`block rate '${rate}' must be a number greater than zero`);
    }
    const { clock, http } = environment;
    const pages: Readonly<Record<string, HttpHandler>> = {
      "": () => ({ status: 302, body: "", headers: { location: `${base}/` } }),
      "/": () => ({ status: 200, type: "text/html; charset=utf-8", body: index }),
      "/profile": async (query) => profile(encodeProfile(await cpuProfile(secondsOf(query, defaultCpuSeconds), clock))),
      "/heap": async (query) => profile(encodeProfile(await heapProfile(secondsOf(query, defaultHeapSeconds), clock))),
      "/cmdline": () => ({ status: 200, body: process.argv.join("\u0000") }),
      "/symbol": () => ({ status: 200, body: "num_symbols: 1\n" }),
    };
    const leases: HttpLease[] = [];
    return {
      async start() {
        for (const [path, handler] of Object.entries(pages)) leases.push(await http.open(address, base + path, handler));
      },
      stop: async () => void (await Promise.all(leases.splice(0).map((lease) => lease.release()))),
    };
  },
};

const profile = (body: Uint8Array): HttpAnswer => ({
  status: 200,
  body,
  type: "application/octet-stream",
  headers: { "content-disposition": 'attachment; filename="profile"' },
});

function secondsOf(query: URLSearchParams, usual: number): number {
  const seconds = Number(query.get("seconds") ?? usual);
  return seconds > 0 && seconds <= maxSeconds ? seconds : usual;
}
