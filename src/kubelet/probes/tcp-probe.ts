/** A TCP connection that is closed as soon as it stands (upstream pkg/probe/tcp). */
import { joinHostPort } from "../../lib/ip.ts";
import type { Connect } from "../runtime/runtime.ts";
import { dialText } from "./http-probe.ts";
import type { ProbeOutcome } from "./schedule.ts";

export async function tcpProbe(host: string, port: number, timeoutMs: number, connect: Connect): Promise<ProbeOutcome> {
  try {
    (await connect({ host, port, timeoutMs })).destroy();
    return { ok: true };
  } catch (error) {
    return { ok: false, message: dialText(error, joinHostPort(host, port)) };
  }
}
