import { parseCidr, type Cidr } from "../../../lib/ip.ts";
import { parseDuration } from "../../corefile/duration.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import type { PluginEntry, ProxyProtocolSettings } from "../../plugin.ts";

const policies: readonly ProxyProtocolSettings["others"][] = ["use", "ignore", "reject", "skip"];
const defaultSessions = 10_240;

type Draft = { -readonly [K in keyof ProxyProtocolSettings]: ProxyProtocolSettings[K] };

export const proxyproto: PluginEntry = {
  name: "proxyproto",
  setup(reader, block) {
    reader.next();
    if (block.listening.proxyProtocol !== undefined) throw reader.error("proxy protocol already configured for this server instance");
    if (reader.args().length > 0) throw reader.argumentError();
    const settings: Draft = { allow: [], others: "ignore", sessionMs: 0, maxSessions: defaultSessions };
    while (reader.nextInBlock()) readProperty(reader, settings);
    block.listening.proxyProtocol = settings;
    return {};
  },
};

function readProperty(reader: TokenReader, settings: Draft): void {
  switch (reader.value) {
    case "allow":
      settings.allow = [...settings.allow, ...reader.args().map((text) => readCidr(reader, text))];
      return;
    case "default": {
      const [text = ""] = reader.exactly(1);
      const policy = policies.find((one) => one === text.toLowerCase());
      if (policy === undefined) throw reader.error(`invalid default policy: ${text}; expected ${policies.join(", ")}`);
      settings.others = policy;
      return;
    }
    case "udp_session_tracking":
      readTracking(reader, settings);
      return;
    default:
      throw reader.error(`unknown option '${reader.value}'; expected allow, default or udp_session_tracking`);
  }
}

function readCidr(reader: TokenReader, text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw reader.error(`invalid CIDR block: ${text}`);
  return cidr;
}

/** DURATION [MAX_SESSIONS] */
function readTracking(reader: TokenReader, settings: Draft): void {
  const [duration, sessions = String(defaultSessions), ...more] = reader.args();
  if (duration === undefined || more.length > 0) throw reader.argumentError();
  const ms = parseDuration(duration);
  if (ms === undefined || ms <= 0) throw reader.error(`invalid udp_session_tracking duration '${duration}'; it must be positive`);
  if (!/^[1-9]\d*$/.test(sessions)) throw reader.error(`invalid udp_session_tracking max_sessions '${sessions}'; it must be positive`);
  settings.sessionMs = ms;
  settings.maxSessions = Number(sessions);
}
