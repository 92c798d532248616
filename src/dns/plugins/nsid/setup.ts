import { hostname } from "node:os";
import { after, type Handler, type PluginEntry } from "../../plugin.ts";
import { optionCodes, withOption } from "../../wire/extended-error.ts";

export const nsid: PluginEntry = {
  name: "nsid",
  setup(reader) {
    reader.next();
    const args = reader.args();
    return { handlers: [handler(Buffer.from(args.length === 0 ? hostname() : args.join(" ")))] };
  },
};

/** RFC 5001: which of many servers at one address it was. Only to who asks. */
function handler(data: Uint8Array): Handler {
  return {
    name: "nsid",
    repeatable: true,
    serveDNS(request, next) {
      const asked = request.message.edns?.options.some(({ code }) => code === optionCodes.NSID) === true;
      if (!asked) return next(request);
      return after(next(request), (outcome) =>
        outcome.kind === "reply" ? { ...outcome, message: withOption(outcome.message, { code: optionCodes.NSID, data }) } : outcome,
      );
    },
  };
}
