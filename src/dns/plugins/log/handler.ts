import { className, rcodeName, typeName } from "../../../decide/dns/records.ts";
import { matchZone } from "../../../decide/dns/name.ts";
import { after, type Handler, type PluginEnvironment } from "../../plugin.ts";
import { encode } from "../../wire/encode.ts";

/** One line a query, in CoreDNS's common format. */
export function logHandler(zones: readonly string[], { clock, log }: Pick<PluginEnvironment, "clock" | "log">): Handler {
  const out = log.child("plugin/log");
  return {
    name: "log",
    serveDNS(request, next) {
      if (matchZone(zones, request.name) === undefined) return next(request);
      const began = clock.monotonic();
      return after(next(request), (outcome) => {
        const { client, message, question, size } = request;
        const rcode = outcome.kind === "reply" ? outcome.message.rcode : outcome.kind === "none" ? outcome.rcode : 0;
        const bytes = outcome.kind === "reply" ? encode(outcome.message).length : 12;
        const flags = outcome.kind === "reply" ? flagText(outcome.message) : "-";
        const asked = `"${typeName(question.type)} ${className(question.class)} ${question.name} ${client.protocol} ${size} ${message.edns?.dnssecOk === true} ${message.edns?.udpSize ?? 512}"`;
        const seconds = ((clock.monotonic() - began) / 1000).toFixed(9);
        out.info(`${client.address}:${client.port} - ${message.id} ${asked} ${rcodeName(rcode)} ${flags} ${bytes} ${seconds}s`);
        return outcome;
      });
    },
  };
}

function flagText(message: {
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
}): string {
  const flags = [
    "qr",
    message.authoritative && "aa",
    message.truncated && "tc",
    message.recursionDesired && "rd",
    message.recursionAvailable && "ra",
  ];
  return flags.filter(Boolean).join(",");
}
