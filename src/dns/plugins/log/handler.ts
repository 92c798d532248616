import { isWithin } from "../../../decide/dns/name.ts";
import { rcodes, recordTypes } from "../../../decide/dns/records.ts";
import { after, rcodeOf, type Handler, type Outcome, type PluginEnvironment } from "../../plugin.ts";
import type { LineFormat } from "./format.ts";

export type LogClass = "all" | "success" | "denial" | "error";

export interface LogRule {
  readonly zones: readonly string[];
  readonly format: LineFormat;
  /** Outcomes that are told. */
  readonly classes: ReadonlySet<LogClass>;
}

/** One line a query, by the first rule whose zone holds the name. */
export function logHandler(rules: readonly LogRule[], { clock, log }: Pick<PluginEnvironment, "clock" | "log">): Handler {
  const out = log.child("plugin/log");
  return {
    name: "log",
    serveDNS(request, next) {
      const rule = rules.find(({ zones }) => zones.some((zone) => isWithin(zone, request.name)));
      if (rule === undefined) return next(request);
      const began = clock.monotonic();
      return after(next(request), (outcome) => {
        if (rule.classes.has("all") || rule.classes.has(classOf(outcome)))
          out.info(rule.format({ request, outcome, tookMs: clock.monotonic() - began }));
        return outcome;
      });
    },
  };
}

/** CoreDNS `plugin/pkg/response/classify.go`. */
export function classOf(outcome: Outcome): LogClass {
  const rcode = rcodeOf(outcome);
  if (outcome.kind === "reply" || outcome.kind === "transfer") {
    const message = outcome.kind === "reply" ? outcome.message : outcome.messages[0];
    const denied = message?.authorities.some(({ type }) => type === recordTypes.SOA) === true;
    if (rcode === rcodes.NOERROR) return message?.answers.length === 0 && denied ? "denial" : "success";
    if (rcode === rcodes.NXDOMAIN && denied) return "denial";
    return "error";
  }
  return rcode === rcodes.NXDOMAIN ? "denial" : rcode === rcodes.NOERROR ? "success" : "error";
}
