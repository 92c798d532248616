/** A TCP connection that is closed as soon as it stands (upstream pkg/probe/tcp). */
import { connect } from "node:net";
import { joinHostPort } from "../../lib/ip.ts";
import { dialText } from "./http-probe.ts";
import type { ProbeOutcome } from "./schedule.ts";

export function tcpProbe(host: string, port: number, timeoutMs: number): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (outcome: ProbeOutcome) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => finish({ ok: false, message: `dial tcp ${joinHostPort(host, port)}: i/o timeout` }), timeoutMs);
    socket.on("connect", () => finish({ ok: true }));
    socket.on("error", (error) => finish({ ok: false, message: dialText(error, joinHostPort(host, port)) }));
  });
}
