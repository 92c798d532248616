/** The history of a Service's routing: a scrubber over the moments at which it changed, which write did it, and what was so then. */
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { ServicePast } from "../../src/console/wire.ts";
import { refText } from "../../src/decide/explain/snapshot.ts";
import { momentsOf, type Moment } from "../data/past.ts";
import { ask } from "../data/session.ts";
import { Empty } from "../parts/empty.tsx";
import { endpointTone, endpointWord, Mark } from "../parts/mark.tsx";

type Loaded = ServicePast | { readonly error: string } | undefined;

export function History({ id }: { readonly id: string }): JSX.Element {
  const [loaded, setLoaded] = useState<Loaded>(undefined);
  const load = () => void readPast(id).then(setLoaded);
  useEffect(load, [id]);
  const moments = useMemo(() => (loaded === undefined || "error" in loaded ? [] : momentsOf(loaded, id)), [loaded, id]);
  return (
    <section class="panel">
      <header>
        <h2>History</h2>
        <span class="aside">what changed in its routing within the last hour, and which write did it</span>
        <span class="spread" />
        <button type="button" class="button quiet" onClick={load}>
          Look again
        </button>
      </header>
      {loaded === undefined && <Empty title="Reading the history…">It is kept beside the objects.</Empty>}
      {loaded !== undefined && "error" in loaded && <Empty title="No history">{loaded.error}</Empty>}
      {loaded !== undefined && !("error" in loaded) && moments.length === 0 && (
        <Empty title="Its routing has not changed">
          Endpoints that come and go, and edits of the Service, are listed here with the write that did it.
        </Empty>
      )}
      {moments.length > 0 && <Scrubber moments={moments} />}
    </section>
  );
}

async function readPast(id: string): Promise<Loaded> {
  const [namespace = "", name = ""] = id.split("/");
  try {
    const response = await ask(`/console/past?${new URLSearchParams({ namespace, name })}`);
    const body = (await response.json()) as ServicePast & { readonly error?: string };
    return response.ok ? body : { error: body.error ?? `status ${response.status}` };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

function Scrubber({ moments }: { readonly moments: readonly Moment[] }): JSX.Element {
  const [chosen, setChosen] = useState(moments.length - 1);
  useEffect(() => setChosen(moments.length - 1), [moments]);
  const index = Math.min(chosen, moments.length - 1);
  const { change, endpoints } = moments[index] as Moment;
  const { by, added, removed, because } = change;
  return (
    <div class="body history">
      <label class="scrubber">
        <span class="visually-hidden">Moment</span>
        <input
          type="range"
          min={0}
          max={moments.length - 1}
          value={index}
          onInput={(event) => setChosen(Number(event.currentTarget.value))}
          aria-valuetext={timeText(change.time)}
        />
        <span class="num">
          {timeText(change.time)}{" "}
          <span class="soft">
            change {index + 1} of {moments.length}
          </span>
        </span>
      </label>
      <p>
        <strong>{refText(by.ref)}</strong> was {by.verb}
        {by.writer === undefined ? "" : ` by ${by.writer}`}. <span class="soft">{because.join("; ")}</span>
      </p>
      <div class="two">
        <ul class="changes-list mono">
          {added.map((line) => (
            <li key={line} class="is-ok">
              + {line}
            </li>
          ))}
          {removed.map((line) => (
            <li key={line} class="is-bad">
              − {line}
            </li>
          ))}
        </ul>
        <ul class="then">
          {endpoints.length === 0 && <li class="soft">no endpoints then</li>}
          {endpoints.map(({ text, state, pod }) => (
            <li key={text}>
              <Mark tone={endpointTone[state]}>
                <span class="mono">{text}</span> {endpointWord[state]}
              </Mark>{" "}
              <span class="soft">{pod}</span>
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}

function timeText(time: number): string {
  return new Date(time).toLocaleTimeString();
}
