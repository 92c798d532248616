/** One HTTP GET of a probe or a hook (upstream pkg/probe/http): 200–399 is success, a redirect to another host too. */
import type { HTTPGetAction } from "../../api/types.ts";
import { joinHostPort } from "../../lib/ip.ts";
import { errnoCode, errorMessage } from "../../lib/errors.ts";
import type { ProbeOutcome } from "./schedule.ts";

const maxBody = 10 * 1024;
const maxRedirects = 10;

export async function httpProbe(
  action: HTTPGetAction,
  host: string,
  port: number,
  timeoutMs: number,
  userAgent = "kube-probe/1.36",
): Promise<ProbeOutcome> {
  const scheme = (action.scheme ?? "HTTP").toLowerCase();
  const path = action.path ?? "/";
  const url = new URL(`${scheme}://${joinHostPort(action.host ?? host, port)}${path.startsWith("/") ? "" : "/"}${path}`);
  const headers: Record<string, string> = { "user-agent": userAgent, accept: "*/*" };
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value;
  return follow(url, headers, performance.now() + timeoutMs, 0);
}

async function follow(url: URL, headers: Readonly<Record<string, string>>, deadline: number, redirects: number): Promise<ProbeOutcome> {
  try {
    const { status, location } = await get(url, headers, Math.max(1, deadline - performance.now()));
    if (status < 200 || status >= 400) return { ok: false, message: `HTTP probe failed with statuscode: ${status}` };
    if (status < 300 || location === undefined) return { ok: true };
    const target = new URL(location, url);
    if (target.hostname !== url.hostname) return { ok: true };
    if (redirects + 1 >= maxRedirects) return { ok: false, message: `Get "${location}": stopped after 10 redirects` };
    return await follow(target, headers, deadline, redirects + 1);
  } catch (error) {
    return { ok: false, message: `Get "${url.href}": ${dialText(error, joinHostPort(url.hostname, url.port))}` };
  }
}

async function get(
  url: URL,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<{ status: number; location: string | undefined }> {
  // Loaded where used: a node without HTTPS probes never pays for it.
  const { request } = url.protocol === "https:" ? await import("node:https") : await import("node:http");
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { headers, agent: false, rejectUnauthorized: false } as import("node:https").RequestOptions);
    const timer = setTimeout(() => outgoing.destroy(new ProbeTimeout()), timeoutMs);
    outgoing.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    outgoing.on("response", (response) => {
      let seen = 0;
      const finish = () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, location: response.headers.location });
        outgoing.destroy();
      };
      response.on("data", (chunk: Buffer) => {
        seen += chunk.length;
        if (seen >= maxBody) finish();
      });
      response.on("end", finish);
      response.on("error", (error) => {
        clearTimeout(timer);
        reject(error);
      });
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
