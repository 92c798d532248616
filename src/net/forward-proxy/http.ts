/**
 * The HTTP side of the forward proxy (RFC 9112 3.2.2, RFC 9110 7.6 and 9.3.6): requests in absolute form are sent on, one
 * connection to the target each, so that a Service spreads them; CONNECT and Upgrade join the sockets. `https:` targets come by
 * CONNECT. Answers of the proxy itself are short texts that say what went wrong.
 */
import { createServer, request as sendRequest, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { relay } from "../relay.ts";
import { identifyBasic, type Identify } from "./credentials.ts";
import { endToEnd, pairs, withHeader } from "./headers.ts";
import { farewell, openTarget, parseAuthority, type ClientPod, type ConnectFailure, type TargetOptions } from "./target.ts";

export interface HttpProxyOptions extends TargetOptions {
  readonly identify: Identify;
  /** The head of a request has arrived on this socket. (A server that does not listen has no time-out of its own for that.) */
  readonly greeted: (socket: Duplex) => void;
}

const via = "1.1 fairlead";
const keepAliveMs = 60_000;

/** A server that listens nowhere: `emit("connection", socket)` hands it a client. */
export function createHttpProxy(options: HttpProxyOptions): Server {
  const server = createServer({ keepAliveTimeout: keepAliveMs });
  const serveOne = (request: IncomingMessage, response: ServerResponse) => {
    options.greeted(request.socket);
    void forward(request, response, options);
  };
  server.on("request", serveOne);
  server.on("checkContinue", serveOne);
  server.on("connect", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    options.greeted(socket);
    void tunnel(request, socket as Socket, head, options);
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    options.greeted(socket);
    void upgrade(request, socket as Socket, head, options);
  });
  server.on("clientError", (_error, socket) => {
    if (socket.writable) farewell(socket as Socket, answer(400, "Bad Request", "this is neither HTTP nor SOCKS5"));
  });
  return server;
}

interface Absolute {
  readonly host: string;
  readonly port: number;
  /** What the target's server sees as the request's target. */
  readonly path: string;
  readonly authority: string;
}

/** `http://web.shop:8080/x?y` (`ws:` for clients that ask so); undefined for anything else. */
function parseAbsolute(target: string): Absolute | undefined {
  const match = /^(?:http|ws):\/\/(?:[^/?#@]*@)?([^/?#@]+)([/?][^#]*)?/i.exec(target);
  const authority = match?.[1];
  if (authority === undefined) return undefined;
  const parsed = parseAuthority(/:\d+$/.test(authority) ? authority : `${authority}:80`);
  const path = match?.[2] ?? "/";
  return parsed === undefined ? undefined : { ...parsed, path: path.startsWith("?") ? `/${path}` : path, authority };
}

interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly text: string;
}

const strangers: Refusal = {
  status: 407,
  reason: "Proxy Authentication Required",
  text: "this proxy serves pods of its cluster: use the credentials in the pod's HTTP_PROXY",
};
const notAbsolute: Refusal = {
  status: 400,
  reason: "Bad Request",
  text: "this is a proxy: ask with an absolute http:// URL, or CONNECT for anything else",
};

function refusalOf({ why, message }: ConnectFailure): Refusal {
  return why === "timeout"
    ? { status: 504, reason: "Gateway Timeout", text: message }
    : { status: 502, reason: "Bad Gateway", text: message };
}

async function forward(request: IncomingMessage, response: ServerResponse, options: HttpProxyOptions): Promise<void> {
  const admitted = admit(request, options);
  if ("status" in admitted) return refuse(response, admitted);
  const socket = await openTarget(admitted.target.host, admitted.target.port, admitted.client, options);
  if ("kind" in socket) return refuse(response, refusalOf(socket));
  if (response.destroyed) return void socket.destroy();
  send(request, response, admitted.target, socket);
}

function admit(
  request: IncomingMessage,
  { identify }: HttpProxyOptions,
): Refusal | { readonly client: ClientPod; readonly target: Absolute } {
  const client = identifyBasic(request.headers["proxy-authorization"], identify);
  if (client === undefined) return strangers;
  const target = parseAbsolute(request.url ?? "");
  return target === undefined ? notAbsolute : { client, target };
}

/** One request and its answer over a connection of its own. A half answer ends as one: the client's connection is cut. */
function send(request: IncomingMessage, response: ServerResponse, target: Absolute, socket: Socket): void {
  const chunked = request.headers["transfer-encoding"] !== undefined;
  const outgoing = sendRequest({
    createConnection: () => socket,
    method: request.method ?? "GET",
    path: target.path,
    setHost: false,
    headers: [...onwardHeaders(request, target), ...(chunked ? ["Transfer-Encoding", "chunked"] : []), "Connection", "close"],
  });
  outgoing.on("continue", () => response.writeContinue());
  outgoing.on("response", (incoming) => {
    response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, [...endToEnd(incoming.rawHeaders), "Via", via]);
    incoming.on("error", () => response.destroy());
    incoming.on("end", () => addTrailers(incoming, response));
    incoming.pipe(response);
  });
  outgoing.on("error", (error) => {
    if (response.headersSent) response.destroy();
    else
      refuse(response, { status: 502, reason: "Bad Gateway", text: `${target.authority} broke off without an answer: ${error.message}` });
  });
  response.on("close", () => void outgoing.destroy());
  request.pipe(outgoing);
}

function addTrailers(incoming: IncomingMessage, response: ServerResponse): void {
  if (incoming.rawTrailers.length > 0) response.addTrailers(pairs(incoming.rawTrailers));
}

/** The target's authority replaces whatever `Host` said (RFC 9112 3.2.2). */
function onwardHeaders(request: IncomingMessage, { authority }: Absolute, keep: readonly string[] = []): string[] {
  return [...withHeader(endToEnd(request.rawHeaders, keep), "Host", authority), "Via", via];
}

function refuse(response: ServerResponse, { status, reason, text }: Refusal): void {
  if (response.destroyed) return;
  const authenticate = status === 407 ? { "Proxy-Authenticate": 'Basic realm="fairlead"' } : {};
  // What is left of the request is not read: the connection cannot be used again.
  response.writeHead(status, reason, { "Content-Type": "text/plain; charset=utf-8", Connection: "close", ...authenticate });
  response.end(`${text}\n`);
}

async function tunnel(request: IncomingMessage, socket: Socket, head: Buffer, options: HttpProxyOptions): Promise<void> {
  socket.on("error", endedByItself);
  const client = identifyBasic(request.headers["proxy-authorization"], options.identify);
  if (client === undefined) return farewell(socket, answerOf(strangers));
  const authority = parseAuthority(request.url ?? "");
  if (authority === undefined) return farewell(socket, answer(400, "Bad Request", "CONNECT needs host:port"));
  const target = await openTarget(authority.host, authority.port, client, options);
  if ("kind" in target) return farewell(socket, answerOf(refusalOf(target)));
  join(socket, target, head, "HTTP/1.1 200 Connection established\r\n\r\n");
}

/** A request in absolute form that changes the protocol (WebSocket): its head goes on, then the sockets are joined. */
async function upgrade(request: IncomingMessage, socket: Socket, head: Buffer, options: HttpProxyOptions): Promise<void> {
  socket.on("error", endedByItself);
  const admitted = admit(request, options);
  if ("status" in admitted) return farewell(socket, answerOf(admitted));
  const { target, client } = admitted;
  const upstream = await openTarget(target.host, target.port, client, options);
  if ("kind" in upstream) return farewell(socket, answerOf(refusalOf(upstream)));
  const lines = pairs(onwardHeaders(request, target, ["connection", "upgrade"])).map(([name, value]) => `${name}: ${value}\r\n`);
  upstream.write(`${request.method} ${target.path} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1");
  join(socket, upstream, head, "");
}

/** `head`: what the client sent beyond its request; `greeting`: what it gets before the target's first byte. */
function join(socket: Socket, target: Socket, head: Buffer, greeting: string): void {
  if (socket.destroyed) return void target.destroy();
  if (greeting !== "") socket.write(greeting);
  if (head.length > 0) target.write(head);
  relay(socket, target);
}

function answerOf({ status, reason, text }: Refusal): string {
  return answer(status, reason, text, status === 407 ? 'Proxy-Authenticate: Basic realm="fairlead"\r\n' : "");
}

function answer(status: number, reason: string, text: string, more = ""): string {
  const body = `${text}\n`;
  return `HTTP/1.1 ${status} ${reason}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${more}Connection: close\r\n\r\n${body}`;
}

function endedByItself(): void {
  // The client has gone: `close` follows, and nobody is left to be told.
}
