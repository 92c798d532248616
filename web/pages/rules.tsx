/** The rules of a Service as each proxy mode has them, side by side; its own lines stand out from what all Services share. */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { EndpointSlice, Node, Service } from "../../src/api/types.ts";
import { markLines, planOne, ruleModes, rulesText, type RuleLine, type RuleMode } from "../data/rules.ts";

export interface RulesProps {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
  readonly serviceCIDRs: readonly string[];
}

export function Rules({ service, slices, nodes, serviceCIDRs }: RulesProps): JSX.Element {
  const names = nodes.map(({ metadata }) => metadata.name ?? "").sort();
  const [nodeName, setNodeName] = useState<string | undefined>(undefined);
  const [modes, setModes] = useState<readonly RuleMode[]>(["nftables", "iptables", "ipvs"]);
  const [whole, setWhole] = useState(false);
  const node = nodes.find(({ metadata }) => metadata.name === (nodeName ?? names[0]));
  const input = { service, slices, node, serviceCIDRs };
  // The plan is made when an object of it changes, not whenever the page is drawn.
  const changed = [service, node, ...slices].map((object) => object?.metadata.resourceVersion).join();
  const rendered = useMemo(() => renderAll(input), [changed, serviceCIDRs.join()]);
  const toggle = (mode: RuleMode) =>
    setModes((now) =>
      now.includes(mode) ? now.filter((each) => each !== mode) : ruleModes.filter((each) => each === mode || now.includes(each)),
    );
  return (
    <section class="panel">
      <header>
        <h2>Rules</h2>
        <div class="tabs" role="group" aria-label="Modes">
          {ruleModes.map((mode) => (
            <button key={mode} type="button" aria-pressed={modes.includes(mode)} onClick={() => toggle(mode)}>
              {mode}
            </button>
          ))}
        </div>
        <div class="tabs" role="group" aria-label="How much">
          <button type="button" aria-pressed={!whole} onClick={() => setWhole(false)}>
            This Service
          </button>
          <button type="button" aria-pressed={whole} onClick={() => setWhole(true)}>
            All lines
          </button>
        </div>
        <span class="spread" />
        {names.length > 0 && (
          <label class="aside">
            on{" "}
            <select class="field" value={node?.metadata.name} onChange={(event) => setNodeName(event.currentTarget.value)}>
              {names.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        )}
      </header>
      {rendered.kind === "skipped" ? (
        <p class="body soft">{rendered.why}</p>
      ) : (
        <div class="rules" style={{ gridTemplateColumns: `repeat(auto-fit, minmax(min(100%, 340px), 1fr))` }}>
          {modes.map((mode) => (
            <figure key={mode}>
              <figcaption>
                {mode} <span class="soft num">{rendered.lines[mode].filter(({ own }) => own).length} own lines</span>
              </figcaption>
              <Lines lines={rendered.lines[mode]} whole={whole} label={`Rules of mode ${mode}`} />
            </figure>
          ))}
        </div>
      )}
    </section>
  );
}

type Rendered =
  | { readonly kind: "rendered"; readonly lines: Readonly<Record<RuleMode, readonly RuleLine[]>> }
  | { readonly kind: "skipped"; readonly why: string };

const skipWords: Readonly<Record<string, string>> = {
  Headless: "A headless Service has no virtual address: clients get the pods’ addresses from DNS, and no proxy has rules for it.",
  ExternalName: "An ExternalName Service is a name in DNS: no proxy has rules for it.",
};

function renderAll(input: Parameters<typeof planOne>[0]): Rendered {
  const plan = planOne(input);
  const [planned] = plan.services;
  if (planned === undefined || planned.kind === "skipped")
    return {
      kind: "skipped",
      why: skipWords[planned?.reason ?? ""] ?? `No proxy has rules for it: ${planned?.reason ?? "it is not planned"}.`,
    };
  const words = [
    `${planned.namespace}/${planned.name}`,
    ...planned.ports.flatMap(({ addresses, endpoints }) => [
      ...addresses.filter(({ kind }) => kind !== "nodePort").map(({ address }) => address),
      ...endpoints.flatMap(({ cluster, local }) => [...cluster, ...local].map(({ ip }) => ip)),
    ]),
  ];
  const lines = Object.fromEntries(ruleModes.map((mode) => [mode, markLines(rulesText(mode, plan, input.serviceCIDRs), words)]));
  return { kind: "rendered", lines: lines as Record<RuleMode, readonly RuleLine[]> };
}

function Lines({
  lines,
  whole,
  label,
}: {
  readonly lines: readonly RuleLine[];
  readonly whole: boolean;
  readonly label: string;
}): JSX.Element {
  const shown = whole ? lines : lines.filter(({ own }) => own);
  return (
    <pre class="code" tabIndex={0} aria-label={label}>
      {shown.length === 0 && <span class="shared">nothing: no rule names it</span>}
      {shown.map(({ text, own }, index) => (
        <span key={index} class={own ? "own" : "shared"}>
          {whole ? text : text.trim()}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}
