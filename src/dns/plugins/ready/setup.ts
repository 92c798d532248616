import type { HttpLease, PluginEntry } from "../../plugin.ts";

export const ready: PluginEntry = {
  name: "ready",
  setup(reader, { environment, configuration }) {
    reader.next();
    const [address = ":8181", ...more] = reader.args();
    if (more.length > 0) throw reader.argumentError();
    if (!address.includes(":")) throw reader.error(`address ${address}: missing port in address`);
    let continuously = false;
    while (reader.nextInBlock()) {
      if (reader.value !== "monitor") throw reader.error(`unknown property '${reader.value}'; expected monitor`);
      const [mode = ""] = reader.exactly(1);
      if (mode !== "until-ready" && mode !== "continuously")
        throw reader.error(`invalid monitor type '${mode}'; expected until-ready or continuously`);
      continuously = mode === "continuously";
    }
    /** A plugin that was ready once counts as ready from then on, unless each request is to look again. */
    const once = new Set<string>();
    let lease: HttpLease | undefined;
    return {
      async start() {
        lease = await environment.http.open(address, "/ready", () => {
          const states = configuration.readiness();
          for (const { plugin, state } of states) if (state.ready && !continuously) once.add(plugin);
          const waiting = states.filter(({ plugin, state }) => !state.ready && !once.has(plugin));
          return waiting.length === 0 ? { status: 200, body: "OK" } : { status: 503, body: waiting.map(({ plugin }) => plugin).join(",") };
        });
      },
      stop: () => lease?.release(),
    };
  },
};
