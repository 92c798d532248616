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
    method: auth.method,
    path: pathname,
    query: search,
    authority,
    lines: (except) => request.lines(except === undefined ? ofBody : new Set([...ofBody, ...except])),
    body: { kind: "none" },
    upgrade: undefined,
  };
}

export function questionHeaders(request: ProxiedRequest, auth: ExternalAuth): HeaderChange {
  const { client, authority, method, path, query } = request;
  return {
    set: [
      { name: "X-Original-URL", value: `${client.scheme}://${authority}${path}${query}` },
      { name: "X-Original-Method", value: method },
      { name: "X-Auth-Request-Redirect", value: fillTemplate(auth.redirect, request) },
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
  const values = (name: string) => fields.flatMap((field) => (field.name === name ? [field.value] : []));
  const cookies = values("set-cookie").map((value) => ({ name: "Set-Cookie", value }));
  if (status >= 200 && status < 300) {
    const found = auth.responseHeaders.map((name) => ({ name, value: values(name).join(", ") }));
    // A client that sends such a field itself must not be taken for whom it says.
    const gone = found.filter(({ value }) => value === "").map(({ name }) => name);
    return {
      kind: "allowed",
      request: { set: found.filter(({ value }) => value !== ""), add: [], remove: gone },
      response: { set: [], add: cookies, remove: [] },
    };
  }
  const setCookies = cookies.map(({ value }) => `Set-Cookie: ${value}\r\n`).join("");
  if (status === 401 && auth.signIn !== undefined)
    return { kind: "denied", answer: redirect(302, fillTemplate(auth.signIn, request), setCookies), reason: "AuthSignIn" };
  if (status !== 401 && status !== 403) return unavailable(`the service that is asked answers ${status}`);
  const own = refusal(status, "AuthDenied", "the request was not allowed");
  const challenge = values("www-authenticate").map((value) => `WWW-Authenticate: ${value}\r\n`);
  return { kind: "denied", answer: { ...own, lines: own.lines + challenge.join("") + setCookies }, reason: "AuthDenied" };
}

export function unavailable(message: string): Extract<Verdict, { kind: "denied" }> {
  return { kind: "denied", answer: refusal(500, "AuthUnavailable", message), reason: "AuthUnavailable" };
}

/** Lines as an exchange gives them, each with its CR LF. */
function fieldsOf(lines: string): readonly { readonly name: string; readonly value: string }[] {
  return lines.split("\r\n").flatMap((line) => {
    const colon = line.indexOf(":");
    return colon <= 0 ? [] : [{ name: line.slice(0, colon).toLowerCase(), value: line.slice(colon + 1).trim() }];
  });
}
