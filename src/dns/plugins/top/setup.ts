import type { HttpLease, PluginEntry } from "../../plugin.ts";

const defaultAddress = "localhost:6054";

/** Names that clients ask for are their own business: the page is on loopback unless an address says otherwise. */
export const top: PluginEntry = {
  name: "top",
  setup(reader, { environment }) {
    reader.next();
    const [address = defaultAddress, ...more] = reader.args();
    if (more.length > 0) throw reader.argumentError();
    if (!/:\d+$/.test(address)) throw reader.error(`address ${address}: missing port in address`);
    if (reader.nextInBlock()) throw reader.error(`unknown property '${reader.value}'`);
    let lease: HttpLease | undefined;
    let end: (() => void) | undefined;
    return {
      async start() {
        end = environment.watch.begin();
        lease = await environment.http.open(address, "/top", () => ({
          status: 200,
          type: "application/json",
          body: JSON.stringify(environment.watch.report()),
        }));
      },
      async stop() {
        end?.();
        await lease?.release();
      },
    };
  },
};
