import { parseDuration } from "../../corefile/duration.ts";
import type { Timer } from "../../../lib/clock.ts";
import type { PluginEntry } from "../../plugin.ts";

const [defaultInterval, defaultJitter, leastInterval, leastJitter] = [30_000, 15_000, 2000, 1000];

export const reload: PluginEntry = {
  name: "reload",
  setup(reader, { environment }) {
    reader.next();
    const args = reader.args();
    if (args.length > 2) throw reader.argumentError();
    const [interval = defaultInterval, jitter = Math.min(defaultJitter, interval / 2)] = args.map((text) => {
      const duration = parseDuration(text);
      if (duration === undefined || duration < 0) throw reader.error(`invalid duration '${text}'`);
      return duration;
    });
    if (interval < leastInterval) throw reader.error("interval value must be greater or equal to 2s");
    const every = interval;
    const spread = Math.min(Math.max(jitter, leastJitter), every / 2);
    let timer: Timer | undefined;
    const wait = () => {
      timer = environment.clock.after(every + environment.random() * spread, () => {
        environment.checkCorefile();
        wait();
      });
    };
    return { start: wait, stop: () => timer?.cancel() };
  },
};
