/**
 * Sends the one request that a person asks for, to a listener that an Ingress or a Gateway of this cluster names in its status and to
 * nothing else: this server must not become a way to any port of the machine.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import type { KubeObject } from "../api/object.ts";
import { joinHostPort } from "../lib/ip.ts";
import type { TryAnswer, TryRequest } from "./wire.ts";

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const mostBody = 64 * 1024;
const timeoutMs = 10_000;

interface LoadBalancerStatus {
  readonly ingress?: readonly { readonly ip?: string; readonly ports?: readonly { readonly port: number }[] }[];
}

/** Where Ingresses and Gateways say that they listen: `127.0.0.1:8080`. */
export function gatewayAddresses(ingresses: readonly KubeObject[], gateways: readonly KubeObject[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const object of ingresses) {
    const { status } = object as KubeObject & { readonly status?: { readonly loadBalancer?: LoadBalancerStatus } };
    for (const { ip, ports } of status?.loadBalancer?.ingress ?? [])
      for (const port of ports?.map((each) => each.port) ?? [80, 443]) if (ip !== undefined) found.add(joinHostPort(ip, port));
  }
  for (const object of gateways) {
    const { spec, status } = object as KubeObject & {
      readonly spec?: { readonly listeners?: readonly { readonly port: number }[] };
      readonly status?: { readonly addresses?: readonly { readonly value: string }[] };
    };
    for (const { value } of status?.addresses ?? [])
      for (const { port } of spec?.listeners ?? []) if (isIP(value) !== 0) found.add(joinHostPort(value, port));
  }
  return found;
}

/** What is wrong with it, for people; undefined: it can be sent. */
export function faultOf(value: unknown, allowed: ReadonlySet<string>): string | undefined {
  const { scheme, via, host, method, path, headers } = (value ?? {}) as Partial<TryRequest>;
  if (scheme !== "http" && scheme !== "https") return "the scheme is http or https";
  if (typeof via !== "string" || !allowed.has(via)) return `no Ingress or Gateway of this cluster listens at ${String(via)}`;
  if (typeof host !== "string" || !/^[A-Za-z0-9.:[\]_-]{1,255}$/.test(host)) return "that is no host";
  if (typeof method !== "string" || !methods.includes(method)) return `the method is one of ${methods.join(", ")}`;
  if (typeof path !== "string" || !/^\/[\x21-\x7e]{0,4095}$/.test(path)) return "a path begins with / and has no blanks";
  if (typeof headers !== "object" || headers === null || Object.keys(headers).length > 32) return "too many headers";
  const bad = Object.entries(headers).find(
    ([name, text]) => !/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/.test(name) || typeof text !== "string" || !/^[\x20-\x7e]{0,2048}$/.test(text),
  );
  return bad === undefined ? undefined : `header ${bad[0]} cannot be sent`;
}

/** Never rejects. */
export function tryRequest(asked: TryRequest, clock: { monotonic(): number }): Promise<TryAnswer> {
  const began = clock.monotonic();
  return new Promise((resolve) => {
    const outgoing = asked.scheme === "https" ? httpsRequest(tlsOptions(asked)) : httpRequest(plainOptions(asked));
    const failed = (error: Error) => resolve({ kind: "failed", message: error.message });
    outgoing.setTimeout(timeoutMs, () => outgoing.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    outgoing.on("error", failed);
    outgoing.on("response", (response) => {
      collect(response).then(({ body, truncated }) => {
        const issuer = asked.scheme === "https" ? issuerOf(response.socket as TLSSocket) : undefined;
        outgoing.destroy();
        resolve({
          kind: "answered",
          status: response.statusCode ?? 0,
          headers: pairs(response.rawHeaders),
          body,
          truncated,
          milliseconds: clock.monotonic() - began,
          ...(issuer === undefined ? {} : { issuer }),
        });
      }, failed);
    });
    outgoing.end();
  });
}

function plainOptions({ via, host, method, path, headers }: TryRequest): RequestOptions {
  const at = via.lastIndexOf(":");
  return {
    host: via.slice(0, at).replace(/^\[|\]$/g, ""),
    port: Number(via.slice(at + 1)),
    method,
    path,
    agent: false,
    headers: { "user-agent": "fairlead-console", ...headers, host },
  };
}

/** Whoever tries wants to see the answer, whichever certificate comes with it; its issuer is told. */
function tlsOptions(asked: TryRequest): RequestOptions & { readonly servername: string; readonly rejectUnauthorized: false } {
  return { ...plainOptions(asked), servername: asked.host.replace(/:\d+$/, ""), rejectUnauthorized: false };
}

async function collect(response: IncomingMessage): Promise<{ readonly body: string; readonly truncated: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > mostBody) break;
  }
  return { body: Buffer.concat(chunks).subarray(0, mostBody).toString("utf8"), truncated: size > mostBody };
}

function pairs(raw: readonly string[]): readonly (readonly [string, string])[] {
  return Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i] as string, raw[2 * i + 1] as string] as const);
}

function issuerOf(socket: TLSSocket): string | undefined {
  const common = socket.getPeerCertificate().issuer?.CN;
  return typeof common === "string" ? common : undefined;
}
