import { after, type Handler, type PluginEntry } from "../../plugin.ts";

const defaultBytes = 1232;
const [least, most] = [512, 4096];

export const bufsize: PluginEntry = {
  name: "bufsize",
  setup(reader) {
    reader.next();
    const [text = String(defaultBytes), ...more] = reader.args();
    if (more.length > 0) throw reader.argumentError();
    if (!/^\d+$/.test(text)) throw reader.error(`invalid buffer size '${text}'`);
    const bytes = Number(text);
    if (bytes < least || bytes > most) throw reader.error(`the buffer size must be in range [${least}, ${most}]: ${bytes}`);
    return { handlers: [handler(bytes)] };
  },
};

/** Neither the servers behind nor the client get more by UDP, whatever the client says it takes. */
function handler(bytes: number): Handler {
  return {
    name: "bufsize",
    repeatable: true,
    serveDNS(request, next) {
      const { edns } = request.message;
      if (edns === undefined || edns.udpSize <= bytes) return next(request);
      const message = { ...request.message, edns: { ...edns, udpSize: bytes } };
      return after(next({ ...request, message }), (outcome) => (outcome.kind === "reply" ? { ...outcome, maxBytes: bytes } : outcome));
    },
  };
}
