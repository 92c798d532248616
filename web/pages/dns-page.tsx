/** The cluster's DNS: who asks for what, what the search path wastes and what another ndots would do, the cache; and any name, asked here. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ndotsAdvice } from "../../src/decide/dns/top/ndots-advice.ts";
import type { ClientReport, TopReport } from "../../src/decide/dns/top/query-tally.ts";
import type { DnsCounters } from "../../src/console/wire.ts";
import { useModel } from "../context.ts";
import type { Model } from "../data/model.ts";
import { answerTo, queryTypes, type QueryType } from "../data/names.ts";
import { rateText } from "../data/rates.ts";
import { snapshotOfModel } from "../data/snapshot.ts";
import { Empty } from "../parts/empty.tsx";
import { Mark } from "../parts/mark.tsx";
import { askHref } from "../route.ts";

export function DnsPage(): JSX.Element {
  const model = useModel();
  const dns = model.counters?.dns;
  return (
    <div class="page">
      <div class="page-head">
        <h1>DNS</h1>
        {dns !== undefined && <Totals dns={dns} rate={model.rates.dns} />}
      </div>
      <div class="two">
        <AskName model={model} />
        <Cache model={model} dns={dns} />
      </div>
      {dns === undefined ? (
        <section class="panel">
          <Empty title="Nobody counts questions here" code="fairlead dns serve …   # then: fairlead dns top --url …">
            {model.cluster?.fairlead === false
              ? "The DNS server of this cluster is not Fairlead’s. Names are still answered above, from the cluster’s objects."
              : "This cluster runs without Fairlead’s DNS server."}
          </Empty>
        </section>
      ) : (
        <>
          <Names top={dns.top} />
          <Clients model={model} top={dns.top} />
        </>
      )}
      <Corefile model={model} />
    </div>
  );
}

function Totals({ dns, rate }: { readonly dns: DnsCounters; readonly rate: number }): JSX.Element {
  const { queries, clients } = dns.top;
  const wasted = clients.reduce((sum, client) => sum + client.wasted, 0);
  const figures: readonly (readonly [string, string])[] = [
    ["questions", queries.toLocaleString()],
    ["a second now", rateText(rate)],
    ["clients", clients.length.toLocaleString()],
    ["spent on the search path", percent(wasted, queries)],
  ];
  return (
    <dl class="stats">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function AskName({ model }: { readonly model: Model }): JSX.Element {
  const [name, setName] = useState("");
  const [type, setType] = useState<QueryType>("A");
  const domain = model.cluster?.clusterDomain ?? "cluster.local";
  const asked = name.trim() === "" ? undefined : answerTo(snapshotOfModel(model), name.trim(), type);
  return (
    <section class="panel">
      <header>
        <h2>Ask a name</h2>
        <span class="aside">answered here, by the same function</span>
      </header>
      <div class="body names">
        <div class="ask-name">
          <input
            class="field mono"
            value={name}
            placeholder={`web.shop.svc.${domain}`}
            aria-label="Name"
            spellcheck={false}
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <select class="field" aria-label="Type" value={type} onChange={(event) => setType(event.currentTarget.value as QueryType)}>
            {queryTypes.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </div>
        {asked === undefined ? (
          <p class="soft">
            A whole name, such as <code>web.shop.svc.{domain}</code>. To see what a short name becomes for a pod, use Explain above.
          </p>
        ) : asked.kind === "answer" ? (
          <ul class="mono records" aria-live="polite">
            {asked.records.map((record) => (
              <li key={record}>{record}</li>
            ))}
          </ul>
        ) : (
          <Mark tone={asked.kind === "outside" ? "idle" : "bad"}>
            {
              {
                noData: "no record of this type",
                nameError: "does not exist",
                outside: "not a name of the cluster: its upstream servers answer",
              }[asked.kind]
            }{" "}
            <code>{asked.reason}</code>
          </Mark>
        )}
      </div>
    </section>
  );
}

function Cache({ model, dns }: { readonly model: Model; readonly dns: DnsCounters | undefined }): JSX.Element {
  const asked = (dns?.hits ?? 0) + (dns?.misses ?? 0);
  return (
    <section class="panel">
      <header>
        <h2>Cache</h2>
        <span class="aside">of answers from upstream</span>
      </header>
      {dns === undefined || asked === 0 ? (
        <p class="body soft">
          {model.cluster?.fairlead === false
            ? "Nothing is counted in this cluster."
            : "Nothing was asked of upstream yet. Names of the cluster need no cache: they are answered from its objects."}
        </p>
      ) : (
        <div class="body">
          <Share name="answered from the cache" part={dns.hits} whole={asked} />
          <p class="soft">
            {dns.entries.toLocaleString()} answers kept, {dns.hits.toLocaleString()} hits, {dns.misses.toLocaleString()} misses
          </p>
        </div>
      )}
      {dns !== undefined && Object.keys(dns.rcodes).length > 0 && (
        <div class="body rcodes">
          {Object.entries(dns.rcodes)
            .sort(([, a], [, b]) => b - a)
            .map(([rcode, count]) => (
              <span key={rcode} class={`tag${rcode === "SERVFAIL" ? " bad" : rcode === "NOERROR" ? " ok" : ""}`}>
                {rcode} {count.toLocaleString()}
              </span>
            ))}
        </div>
      )}
    </section>
  );
}

export function Share({ name, part, whole }: { readonly name: string; readonly part: number; readonly whole: number }): JSX.Element {
  return (
    <div class="share">
      <span>{name}</span>
      <span class="bar" aria-hidden="true">
        <i style={{ width: percent(part, whole) }} />
      </span>
      <span class="num">{percent(part, whole)}</span>
    </div>
  );
}

interface NameSum {
  readonly name: string;
  queries: number;
  wasted: number;
  clients: number;
}

/** Over all clients, the most asked first. */
export function topNames({ clients }: TopReport): readonly NameSum[] {
  const sums = new Map<string, NameSum>();
  for (const { names } of clients) {
    for (const { name, queries, wasted } of names) {
      const sum = sums.get(name) ?? { name, queries: 0, wasted: 0, clients: 0 };
      sum.queries += queries;
      sum.wasted += wasted;
      sum.clients++;
      sums.set(name, sum);
    }
  }
  return [...sums.values()].sort((a, b) => b.queries - a.queries);
}

const mostNames = 12;

function Names({ top }: { readonly top: TopReport }): JSX.Element {
  const names = topNames(top).slice(0, mostNames);
  const most = names[0]?.queries ?? 1;
  return (
    <section class="panel">
      <header>
        <h2>Names asked most</h2>
        <span class="aside">as they were meant: without what the search path added</span>
      </header>
      {names.length === 0 ? (
        <Empty title="No question yet" code="kubectl exec deploy/web -- getent hosts web.shop">
          As soon as a pod looks a name up it is counted here, with the questions that its search path made of it.
        </Empty>
      ) : (
        <div class="table-wrap">
          <table class="table">
            <thead>
              <tr>
                <th>Name</th>
                <th class="hide-narrow" aria-label="Share" />
                <th class="right">Questions</th>
                <th class="right">Wasted</th>
                <th class="right hide-narrow">Clients</th>
              </tr>
            </thead>
            <tbody>
              {names.map(({ name, queries, wasted, clients }) => (
                <tr key={name}>
                  <td class="mono wrap">
                    <a href={askHref(name)}>{name}</a>
                  </td>
                  <td class="hide-narrow bar-cell">
                    <span class="bar" aria-hidden="true">
                      <i style={{ width: percent(queries, most) }} />
                    </span>
                  </td>
                  <td class="right num">{queries.toLocaleString()}</td>
                  <td class="right num">{wasted.toLocaleString()}</td>
                  <td class="right num hide-narrow">{clients}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

const mostClients = 20;

function Clients({ model, top }: { readonly model: Model; readonly top: TopReport }): JSX.Element | null {
  if (top.clients.length === 0) return null;
  return (
    <section class="panel">
      <header>
        <h2>Clients and ndots</h2>
        <span class="aside">what a smaller ndots in the pod’s dnsConfig would save, and what it would break</span>
      </header>
      <div class="table-wrap">
        <table class="table">
          <thead>
            <tr>
              <th>Client</th>
              <th class="right">Questions</th>
              <th class="right">Wasted</th>
              <th class="right">ndots 2 saves</th>
              <th class="hide-narrow">It would break</th>
            </tr>
          </thead>
          <tbody>
            {top.clients.slice(0, mostClients).map((client) => (
              <ClientLine key={client.address} model={model} client={client} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function ClientLine({ model, client }: { readonly model: Model; readonly client: ClientReport }): JSX.Element {
  const pod = model.tables.podAt(client.address);
  const key = pod === undefined ? undefined : `${pod.metadata.namespace}/${pod.metadata.name}`;
  const { saved, breaks } = ndotsAdvice(client, 2);
  return (
    <tr>
      <td>
        {key === undefined ? <span class="mono">{client.address}</span> : <a href={`/pods?q=${encodeURIComponent(key)}`}>{key}</a>}
        {key === undefined && client.namespace !== undefined && <span class="soft"> in {client.namespace}</span>}
      </td>
      <td class="right num">{client.queries.toLocaleString()}</td>
      <td class="right num">{percent(client.wasted, client.queries)}</td>
      <td class="right num">{percent(saved, client.queries)}</td>
      <td class="hide-narrow wrap">
        {breaks.length === 0 ? <span class="soft">nothing it has asked for</span> : <span class="mono">{breaks.join(", ")}</span>}
      </td>
    </tr>
  );
}

function Corefile({ model }: { readonly model: Model }): JSX.Element | null {
  const config = model.tables.get("ConfigMap", "kube-system/coredns") as { readonly data?: { readonly Corefile?: string } } | undefined;
  const text = config?.data?.Corefile;
  if (text === undefined) return null;
  return (
    <section class="panel">
      <header>
        <h2>Corefile</h2>
        <span class="aside">ConfigMap kube-system/coredns</span>
      </header>
      <div class="body">
        <pre class="code" tabIndex={0}>
          {text}
        </pre>
      </div>
    </section>
  );
}

function percent(part: number, whole: number): string {
  return `${whole === 0 ? 0 : Math.round((part / whole) * 100)}%`;
}
