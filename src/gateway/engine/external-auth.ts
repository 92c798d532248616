/**
 * Asking somebody else whether a request may go on (nginx's `auth_request` as ingress-nginx sets it up): a request of its own without a
 * body, with the client's header fields and what says which request it is about. 2xx: it goes on; 401 and 403 are the client's; anything
 * else is a fault, and nothing goes on.
 */
import { fillTemplate, type ExternalAuth, type HeaderChange } from "../../decide/routes/index.ts";
import { nobody } from "./mirror.ts";
import { redirect, refusal, type OwnAnswer } from "./answers.ts";
import type { AnswerHead, ClientSide, ProxiedRequest } from "./client-side.ts";

export type Verdict =
  /** `request`: what changes of its header; `cookies`: lines for the client's answer. */
  | { readonly kind: "allowed"; readonly request: HeaderChange; readonly response: HeaderChange }
  | { readonly kind: "denied"; readonly answer: OwnAnswer; readonly reason: string };

/** Names of the client's fields that say how its own body comes: the question has none. */
const ofBody: ReadonlySet<string> = new Set(["content-length", "content-type", "content-encoding", "expect", "range", "if-range"]);

/** The question about `request`, to be sent to `authority`. */
export function questionOf(request: ProxiedRequest, auth: ExternalAuth, authority: string): ProxiedRequest {
  const { pathname, search } = new URL(fillTemplate(auth.target.target, request), "http://auth");
  return {
    ...request,
    method: auth.method ?? request.method,
    path: pathname,
    query: search,
    authority,
    lines: linesOf(request, auth),
    body: { kind: "none" },
    upgrade: undefined,
  };
}

function linesOf({ lines, header }: ProxiedRequest, { requestHeaders }: ExternalAuth): ProxiedRequest["lines"] {
  if (requestHeaders === undefined) return (except) => lines(except === undefined ? ofBody : new Set([...ofBody, ...except]));
  const named = requestHeaders.flatMap((name) => {
    const value = ofBody.has(name) ? undefined : header(name);
    return value === undefined ? [] : [{ name, value }];
  });
  return (except) => named.flatMap(({ name, value }) => (except?.has(name) === true ? [] : [`${name}: ${value}\r\n`])).join("");
}

export function questionHeaders(request: ProxiedRequest, { redirect: to }: ExternalAuth): HeaderChange {
  const { client, authority, method, path, query } = request;
  if (to === undefined) return { set: [], add: [], remove: [] };
  return {
    set: [
      { name: "X-Original-URL", value: `${client.scheme}://${authority}${path}${query}` },
      { name: "X-Original-Method", value: method },
      { name: "X-Auth-Request-Redirect", value: fillTemplate(to, request) },
    ],
    add: [],
    remove: [],
  };
}

/** Takes the answer's head; its body is read to its end and thrown away. */
export function listener(heard: (head: AnswerHead) => void, lost: () => void): ClientSide {
  let head: AnswerHead | undefined;
  return {
    ...nobody,
    respond: (answer) => (head = answer),
    end: () => (head === undefined ? lost() : heard(head)),
    abort: lost,
  };
}

export function verdictOf({ status, lines }: AnswerHead, request: ProxiedRequest, auth: ExternalAuth): Verdict {
  const fields = fieldsOf(lines);
  const cookies = fields.filter(({ name }) => name === "set-cookie");
  const isNginx = auth.rules === "nginx";
  if (isNginx ? status >= 200 && status < 300 : status === 200) {
    const response = isNginx ? cookies.map(({ value }) => ({ name: "Set-Cookie", value })) : [];
    return { kind: "allowed", request: goingOn(fields, auth), response: { set: [], add: response, remove: [] } };
  }
  const linesNamed = (...names: readonly string[]) =>
    names
      .flatMap((shown) => fields.flatMap(({ name, value }) => (name === shown.toLowerCase() ? [`${shown}: ${value}\r\n`] : [])))
      .join("");
  if (isNginx && status === 401 && auth.signIn !== undefined)
    return { kind: "denied", answer: redirect(302, fillTemplate(auth.signIn, request), linesNamed("Set-Cookie")), reason: "AuthSignIn" };
  if (isNginx && status !== 401 && status !== 403) return unavailable(`the service that is asked answers ${status}`);
  const isBodiless = status === 204 || status === 304;
  const own = isBodiless ? { status, lines: "", body: "" } : refusal(status, "AuthDenied", "the request was not allowed");
  const more = linesNamed("WWW-Authenticate", "Set-Cookie", ...(isNginx ? [] : ["Location"]));
  return { kind: "denied", answer: { ...own, lines: own.lines + more }, reason: "AuthDenied" };
}

type Fields = readonly { readonly name: string; readonly value: string }[];

function goingOn(fields: Fields, { responseHeaders }: ExternalAuth): HeaderChange {
  // What speaks about the answer's own body, or about when and by whom it was given, says nothing about the request.
  const own = (name: string) =>
    name === "host" || name === "date" || name === "server" || name === "set-cookie" || name.startsWith("content-");
  const names = responseHeaders === "all" ? [...new Set(fields.map(({ name }) => name))].filter((name) => !own(name)) : responseHeaders;
  const values = names.map((name) => ({ name, value: fields.flatMap((field) => (field.name === name ? [field.value] : [])).join(", ") }));
  // A client that sends such a field itself must not be taken for whom it says.
  return {
    set: values.filter(({ value }) => value !== ""),
    add: [],
    remove: values.flatMap(({ name, value }) => (value === "" ? [name] : [])),
  };
}

export function unavailable(message: string): Extract<Verdict, { kind: "denied" }> {
  return { kind: "denied", answer: refusal(500, "AuthUnavailable", message), reason: "AuthUnavailable" };
}

/** Lines as an exchange gives them, each with its CR LF. */
function fieldsOf(lines: string): Fields {
  return lines.split("\r\n").flatMap((line) => {
    const colon = line.indexOf(":");
    return colon <= 0 ? [] : [{ name: line.slice(0, colon).toLowerCase(), value: line.slice(colon + 1).trim() }];
  });
}
