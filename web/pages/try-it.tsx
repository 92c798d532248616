/** A request to think through and, when asked, to send: which rule takes it and why no other does, beside what really came back. */
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Ingress } from "../../src/api/types.ts";
import type { TryAnswer, TryRequest } from "../../src/console/wire.ts";
import type { Snapshot } from "../../src/decide/explain/snapshot.ts";
import type { GatewayObject } from "../../src/decide/routes/gateway-api/objects.ts";
import type { Candidate } from "../../src/decide/routes/index.ts";
import type { Model } from "../data/model.ts";
import { pathText, predict, routeRows } from "../data/routes.ts";
import { ask } from "../data/session.ts";
import { listensAt, type ListenAddress } from "../data/listens-at.ts";
import { Mark, Shape } from "../parts/mark.tsx";

export interface TryItProps {
  readonly model: Model;
  readonly snapshot: Snapshot;
}

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

export function TryIt({ model, snapshot }: TryItProps): JSX.Element {
  const first = useMemo(() => routeRows(snapshot).find(({ host }) => !host.startsWith("*"))?.host ?? "example.com", [snapshot]);
  const [host, setHost] = useState(first);
  const [path, setPath] = useState("/");
  const [method, setMethod] = useState("GET");
  const [headerText, setHeaderText] = useState("");
  const addresses = listensAt(model.tables.list<Ingress>("Ingress"), model.tables.list<GatewayObject>("Gateway"));
  const [via, setVia] = useState("");
  const [answer, setAnswer] = useState<TryAnswer | "asking" | undefined>(undefined);
  const chosen = addresses.find((each) => each.text === via) ?? addresses[0];
  const headers = headersOf(headerText);
  const predicted = predict(snapshot, { host, path, method, headers });
  useEffect(() => setAnswer(undefined), [host, path, method, headerText, via]);
  const send = async (event: Event) => {
    event.preventDefault();
    if (chosen === undefined) return;
    setAnswer("asking");
    setAnswer(await sendRequest({ scheme: chosen.scheme, via: chosen.via, host, method, path, headers }));
  };
  return (
    <section class="panel">
      <header>
        <h2>Try a request</h2>
        <span class="aside">which rule takes it, as you type; nothing is sent before you press Send</span>
      </header>
      <form class="body try" onSubmit={(event) => void send(event)}>
        <label class="labelled">
          Method
          <select class="field" value={method} onChange={(event) => setMethod(event.currentTarget.value)}>
            {methods.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </label>
        <label class="labelled grow">
          Host
          <input class="field mono" value={host} spellcheck={false} onInput={(event) => setHost(event.currentTarget.value.trim())} />
        </label>
        <label class="labelled grow">
          Path
          <input class="field mono" value={path} spellcheck={false} onInput={(event) => setPath(event.currentTarget.value.trim())} />
        </label>
        <label class="labelled grow">
          Headers
          <input
            class="field mono"
            value={headerText}
            placeholder="x-version: 2; cookie: a=b"
            spellcheck={false}
            onInput={(event) => setHeaderText(event.currentTarget.value)}
          />
        </label>
        <label class="labelled">
          Through
          <select
            class="field"
            value={chosen?.text ?? ""}
            disabled={chosen === undefined}
            onChange={(event) => setVia(event.currentTarget.value)}
          >
            {addresses.length === 0 && <option value="">no listener yet</option>}
            {addresses.map(({ text }) => (
              <option key={text}>{text}</option>
            ))}
          </select>
        </label>
        <button type="submit" class="button primary" disabled={chosen === undefined || answer === "asking"}>
          {answer === "asking" ? "Sending…" : "Send"}
        </button>
      </form>
      <div class="try-result">
        <div>
          <h3>What the rules say</h3>
          {predicted.kind === "bad" ? (
            <Mark tone="bad">The gateway answers 400: {predicted.why}</Mark>
          ) : (
            <Candidates chosen={predicted.chosen} candidates={predicted.candidates} />
          )}
        </div>
        <div aria-live="polite">
          <h3>What came back</h3>
          <Answer answer={answer} address={chosen} />
        </div>
      </div>
    </section>
  );
}

/** `x-version: 2; cookie: a=b` */
export function headersOf(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(";").flatMap((part): readonly (readonly [string, string])[] => {
    const colon = part.indexOf(":");
    return colon < 1 ? [] : [[part.slice(0, colon).trim().toLowerCase(), part.slice(colon + 1).trim()]];
  });
  return Object.fromEntries(pairs);
}

async function sendRequest(request: TryRequest): Promise<TryAnswer> {
  try {
    const response = await ask("/console/try", { method: "POST", body: JSON.stringify(request) });
    const body = (await response.json()) as TryAnswer & { readonly error?: string };
    return response.ok ? body : { kind: "failed", message: body.error ?? `status ${response.status}` };
  } catch (error) {
    return { kind: "failed", message: (error as Error).message };
  }
}

const mostRejected = 5;

function Candidates({
  chosen,
  candidates,
}: {
  readonly chosen: Candidate | undefined;
  readonly candidates: readonly Candidate[];
}): JSX.Element {
  const rejected = candidates.filter((each) => each !== chosen);
  return (
    <ul class="candidates">
      {chosen === undefined ? (
        <li>
          <span class="mark is-bad">
            <Shape tone="bad" />
          </span>
          <span>no rule takes it: 404</span>
        </li>
      ) : (
        <CandidateLine candidate={chosen} />
      )}
      {rejected.slice(0, mostRejected).map((candidate) => (
        <CandidateLine key={`${candidate.host} ${candidate.route.id}`} candidate={candidate} />
      ))}
      {rejected.length > mostRejected && <li class="soft">and {rejected.length - mostRejected} more that do not take it</li>}
    </ul>
  );
}

function CandidateLine({ candidate: { host, route, rejected } }: { readonly candidate: Candidate }): JSX.Element {
  return (
    <li class={rejected === undefined ? "kept" : "left"}>
      <span class={`mark is-${rejected === undefined ? "ok" : "idle"}`}>
        <Shape tone={rejected === undefined ? "ok" : "bad"} />
      </span>
      <span class="mono">
        {host === "*" ? "any host" : host} {pathText(route.match.path)}
      </span>
      <span class={`tag${rejected === undefined ? " ok" : ""}`}>{rejected?.reason ?? "takes it"}</span>
      <small>
        {rejected?.detail ??
          `${route.backends.map(({ namespace, name }) => `${namespace}/${name}`).join(", ") || "no backend"} (${route.id})`}
      </small>
    </li>
  );
}

function Answer({
  answer,
  address,
}: {
  readonly answer: TryAnswer | "asking" | undefined;
  readonly address: ListenAddress | undefined;
}): JSX.Element {
  if (address === undefined) return <p class="soft">No Ingress or Gateway has an address yet, so there is nowhere to send it.</p>;
  if (answer === undefined) return <p class="soft">Nothing was sent. Send goes to {address.text}.</p>;
  if (answer === "asking") return <p class="soft">Waiting for the answer…</p>;
  if (answer.kind === "failed") return <Mark tone="bad">{answer.message}</Mark>;
  const { status, headers, body, truncated, milliseconds, issuer } = answer;
  return (
    <div class="answer">
      <Mark tone={status < 400 ? "ok" : status < 500 ? "warn" : "bad"}>
        <strong class="num">{status}</strong> in {milliseconds.toFixed(1)} ms{issuer === undefined ? "" : `, certificate of ${issuer}`}
      </Mark>
      <pre class="code" tabIndex={0}>
        {headers.map(([name, value]) => `${name}: ${value}\n`)}
        {"\n"}
        {body}
        {truncated ? "\n… (the rest is left out)" : ""}
      </pre>
    </div>
  );
}
