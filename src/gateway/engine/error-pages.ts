/** Another Service answers in the place of an error (ingress-nginx `custom-http-errors`, `default-backend`). */
import type { Filter } from "../../decide/routes/index.ts";
import type { AnswerHead, ClientSide, Exchange, ProxiedRequest } from "./client-side.ts";

export type ErrorPages = Extract<Filter, { kind: "error-pages" }>;

/** What the other Service is asked: the same address by GET, and what it is about in headers of ingress-nginx's names. */
export function errorQuestion(request: ProxiedRequest, { headers }: ErrorPages, status: number) {
  const { method, path, query } = request;
  const said = [
    { name: "X-Code", value: String(status) },
    { name: "X-Format", value: request.header("accept") ?? "" },
    { name: "X-Original-URI", value: path + query },
    ...headers,
  ];
  const question: ProxiedRequest = {
    ...request,
    method: method === "HEAD" ? "HEAD" : "GET",
    body: { kind: "none" },
    upgrade: undefined,
    lines: (except) => request.lines(except === undefined ? ofBody : new Set([...ofBody, ...except])),
  };
  return { question, change: { set: said.filter(({ value }) => value !== ""), add: [], remove: [] } };
}

const ofBody: ReadonlySet<string> = new Set(["content-length", "content-type", "content-encoding", "expect", "range", "if-range"]);

/**
 * The client's side for an exchange whose answer may be replaced: `instead` is asked at its head. What the endpoint still says then is
 * read and thrown away.
 */
export function replacing(client: ClientSide, { codes }: ErrorPages, instead: (status: number) => Exchange): ReplaceableAnswer {
  let other: Exchange | undefined;
  const unless = (pass: () => void) => (other === undefined ? pass() : undefined);
  return {
    client: {
      get framed() {
        return client.framed;
      },
      interim: (...words) => unless(() => client.interim(...words)),
      respond: (head: AnswerHead) => {
        if (codes.includes(head.status)) other = instead(head.status);
        else client.respond(head);
      },
      write: (bytes) => (other === undefined ? client.write(bytes) : true),
      flush: () => unless(() => client.flush()),
      end: (trailers) => unless(() => client.end(trailers)),
      tunnel: (...words) => client.tunnel(...words),
      abort: () => unless(() => client.abort()),
      resumeBody: () => client.resumeBody(),
    },
    replace: (status) => (other = instead(status)),
    /** Its request goes to the endpoint, its answer comes from whoever gives it. */
    of: (exchange) => ({
      write: (bytes) => exchange.write(bytes),
      end: (trailers) => exchange.end(trailers),
      resume: () => (other ?? exchange).resume(),
      abort: () => {
        exchange.abort();
        other?.abort();
      },
    }),
  };
}

export interface ReplaceableAnswer {
  readonly client: ClientSide;
  /** There is no answer at all: the other Service gives one. */
  replace(status: number): void;
  of(exchange: Exchange): Exchange;
}
