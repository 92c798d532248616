/** One HTTP GET of a probe or a hook (upstream pkg/probe/http): 200–399 is success, a redirect to another host too. */
import type { HTTPGetAction } from "../../api/types.ts";
import { joinHostPort } from "../../lib/ip.ts";
import { errnoCode, errorMessage } from "../../lib/errors.ts";
import type { Connect } from "../runtime/runtime.ts";
import type { ProbeOutcome } from "./schedule.ts";

const maxBody = 10 * 1024;
const maxRedirects = 10;

export async function httpProbe(
  action: HTTPGetAction,
  host: string,
  port: number,
  timeoutMs: number,
  connect: Connect,
  userAgent = "kube-probe/1.36",
): Promise<ProbeOutcome> {
  const scheme = (action.scheme ?? "HTTP").toLowerCase();
  const path = action.path ?? "/";
  const url = new URL(`${scheme}://${joinHostPort(action.host ?? host, port)}${path.startsWith("/") ? "" : "/"}${path}`);
  const headers: Record<string, string> = { "user-agent": userAgent, accept: "*/*" };
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value;
  return follow({ url, headers, connect, deadline: performance.now() + timeoutMs }, 0);
}

interface Get {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly connect: Connect;
  /** On the clock of `performance`. */
  readonly deadline: number;
}

async function follow(get: Get, redirects: number): Promise<ProbeOutcome> {
  const { url } = get;
  try {
    const { status, location } = await answerOf(get);
    if (status < 200 || status >= 400) return { ok: false, message: `HTTP probe failed with statuscode: ${status}` };
    if (status < 300 || location === undefined) return { ok: true };
    const target = new URL(location, url);
    if (target.hostname !== url.hostname) return { ok: true };
    if (redirects + 1 >= maxRedirects) return { ok: false, message: `Get "${location}": stopped after 10 redirects` };
    return await follow({ ...get, url: target }, redirects + 1);
  } catch (error) {
    return { ok: false, message: `Get "${url.href}": ${dialText(error, joinHostPort(url.hostname, url.port))}` };
  }
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
}

async function answerOf({ url, headers, connect, deadline }: Get): Promise<Answer> {
  const left = () => Math.max(1, deadline - performance.now());
  const secure = url.protocol === "https:";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const plain = await connect({ host, port: Number(url.port) || (secure ? 443 : 80), timeoutMs: left() });
  // Loaded where used: a node without HTTPS probes never pays for it.
  const socket = secure ? (await import("node:tls")).connect({ socket: plain, rejectUnauthorized: false }) : plain;
  const { request } = await import("node:http");
  return new Promise((resolve, reject) => {
    const outgoing = request(secure ? new URL(url.href.replace("https:", "http:")) : url, { headers, createConnection: () => socket });
    const timer = setTimeout(() => outgoing.destroy(new ProbeTimeout()), left());
    const settle = (action: () => void) => {
      clearTimeout(timer);
      action();
      outgoing.destroy();
      socket.destroy();
    };
    outgoing.on("error", (error) => settle(() => reject(error)));
    outgoing.on("response", (response) => {
      let seen = 0;
      const finish = () => settle(() => resolve({ status: response.statusCode ?? 0, location: response.headers.location }));
      response.on("data", (chunk: Buffer) => {
        seen += chunk.length;
        if (seen >= maxBody) finish();
      });
      response.on("end", finish);
      response.on("error", (error) => settle(() => reject(error)));
    });
    outgoing.end();
  });
}

class ProbeTimeout extends Error {}

/** How a failed connection reads in upstream's messages. */
export function dialText(error: unknown, address: string): string {
  if (error instanceof ProbeTimeout) return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
  const texts: Readonly<Record<string, string>> = {
    ECONNREFUSED: `dial tcp ${address}: connect: connection refused`,
    ECONNRESET: "EOF",
    EHOSTUNREACH: `dial tcp ${address}: connect: no route to host`,
    ETIMEDOUT: `dial tcp ${address}: i/o timeout`,
  };
  return texts[errnoCode(error) ?? ""] ?? errorMessage(error);
}
