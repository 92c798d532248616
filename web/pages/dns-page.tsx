/** The cluster's DNS: who asks for what, what the search path wastes and what another ndots would do, the cache; and any name, asked here. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { DnsCounters } from "../../src/console/wire.ts";
import { useModel } from "../context.ts";
import type { Model } from "../data/model.ts";
import { answerTo, queryTypes, type QueryType } from "../data/names.ts";
import { rateText } from "../data/rates.ts";
import { snapshotOfModel } from "../data/snapshot.ts";
import { Empty } from "../parts/empty.tsx";
import { Mark } from "../parts/mark.tsx";
import { Clients, Names } from "./dns-askers.tsx";
import { percent } from "./percent.ts";

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

function Share({ name, part, whole }: { readonly name: string; readonly part: number; readonly whole: number }): JSX.Element {
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
