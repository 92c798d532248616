import { sleep } from "../../../lib/clock.ts";
import { parseDuration } from "../../corefile/duration.ts";
import type { HttpLease, PluginEntry } from "../../plugin.ts";

/** A process that ends at once loses the queries of those who have not heard of it: with `lameduck` it says so before. */
export const health: PluginEntry = {
  name: "health",
  setup(reader, { environment }) {
    reader.next();
    const [address = ":8080", ...more] = reader.args();
    if (more.length > 0) throw reader.argumentError();
    if (!address.includes(":")) throw reader.error(`address ${address}: missing port in address`);
    let lameduckMs = 0;
    while (reader.nextInBlock()) {
      if (reader.value !== "lameduck") throw reader.error(`unknown property '${reader.value}'; expected lameduck`);
      const [text = ""] = reader.exactly(1);
      const duration = parseDuration(text);
      if (duration === undefined || duration < 0) throw reader.error(`invalid lameduck duration '${text}'`);
      lameduckMs = duration;
    }
    let lease: HttpLease | undefined;
    let leaving = false;
    return {
      async start() {
        lease = await environment.http.open(address, "/health", () =>
          leaving ? { status: 503, body: "Shutting down" } : { status: 200, body: "OK" },
        );
      },
      async drain() {
        leaving = true;
        if (lameduckMs > 0) await sleep(environment.clock, lameduckMs);
      },
      stop: () => lease?.release(),
    };
  },
};
