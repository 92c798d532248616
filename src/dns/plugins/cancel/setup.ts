import { rcodes } from "../../../decide/dns/records.ts";
import type { Clock } from "../../../lib/clock.ts";
import { parseDuration } from "../../corefile/duration.ts";
import { failure, type Handler, type Outcome, type PluginEntry } from "../../plugin.ts";

const defaultMs = 5001;

export const cancel: PluginEntry = {
  name: "cancel",
  setup(reader, { environment }) {
    reader.next();
    const [text, ...more] = reader.args();
    if (more.length > 0 || reader.nextInBlock()) throw reader.argumentError();
    const ms = text === undefined ? defaultMs : text === "0" ? undefined : parseDuration(text);
    if (ms === undefined || ms <= 0) throw reader.error(`invalid timeout: ${text}`);
    return { handlers: [handler(ms, environment.clock)] };
  },
};

function handler(ms: number, clock: Clock): Handler {
  return {
    name: "cancel",
    repeatable: true,
    serveDNS(request, next) {
      const answer = next(request);
      if (!(answer instanceof Promise)) return answer;
      return new Promise<Outcome>((resolve, reject) => {
        const timer = clock.after(ms, () => resolve(failure(rcodes.SERVFAIL, new Error(`no answer within ${ms} ms`))));
        answer.then(resolve, reject).finally(() => timer.cancel());
      });
    },
  };
}
