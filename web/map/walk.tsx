/** An explanation beside the map: the verdict first, the way step by step, then what to change. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { explainCodes } from "../../src/decide/explain/codes.ts";
import type { Candidate, Explanation, Step } from "../../src/decide/explain/explanation.ts";
import { BackIcon, CloseIcon, ForwardIcon } from "../parts/icons.tsx";
import { Mark, Shape, type Tone } from "../parts/mark.tsx";

export interface WalkProps {
  readonly explanation: Explanation;
  /** Of the step looked at, from 1. */
  readonly current: number;
  readonly look: (step: number) => void;
  readonly close: () => void;
}

const stepWords: Readonly<Record<Step["kind"], string>> = {
  client: "Client",
  resolve: "Name",
  route: "Route",
  service: "Service",
  policy: "Policy",
  endpoints: "Endpoints",
  rule: "Rule",
  "network-policy": "Network policy",
  pod: "Pod",
};

export function Walk({ explanation, current, look, close }: WalkProps): JSX.Element {
  const { ok, verdict, code, path, changes, warnings, limits, endpoints, certainty } = explanation;
  const keys = (event: KeyboardEvent) => {
    if (event.key === "Escape") close();
    else if (event.key === "ArrowRight" || event.key === "ArrowDown") look(Math.min(path.length, current + 1));
    else if (event.key === "ArrowLeft" || event.key === "ArrowUp") look(Math.max(1, current - 1));
    else return;
    event.preventDefault();
  };
  return (
    <aside class="walk panel" aria-label="Explanation" onKeyDown={keys}>
      <header>
        <h2>Why</h2>
        <span class="spread" />
        <button type="button" class="button quiet icon" disabled={current <= 1} onClick={() => look(current - 1)} aria-label="Step before">
          <BackIcon />
        </button>
        <span class="num aside">
          {current} / {path.length}
        </span>
        <button
          type="button"
          class="button quiet icon"
          disabled={current >= path.length}
          onClick={() => look(current + 1)}
          aria-label="Next step"
        >
          <ForwardIcon />
        </button>
        <button type="button" class="button quiet icon" onClick={close} aria-label="Close the explanation">
          <CloseIcon />
        </button>
      </header>
      <div class="walk-body">
        <section class={`verdict ${ok ? "ok" : "bad"}`} aria-live="polite">
          <Mark tone={ok ? "ok" : "bad"}>{ok ? "It arrives" : "It does not arrive"}</Mark>
          <p>{verdict}</p>
          <p class="verdict-foot">
            <code>{code}</code>
            {certainty === "likely" && <span>likely, not certain</span>}
            {endpoints.length > 0 && <span>{endpoints.length === 1 ? endpoints[0] : `${endpoints.length} endpoints`}</span>}
          </p>
        </section>
        <ol class="steps">
          {path.map((step, index) => (
            <StepItem key={index} step={step} number={index + 1} open={index + 1 === current} look={look} />
          ))}
        </ol>
        {changes.length > 0 && (
          <section class="walk-part">
            <h3>What to change</h3>
            <ol class="changes">
              {changes.map(({ text, result }) => (
                <li key={text}>
                  {text}
                  {result !== undefined && (
                    <span class={`tag ${explainCodes[result].kind === "fine" ? "ok" : "warn"}`}>then: {result}</span>
                  )}
                </li>
              ))}
            </ol>
          </section>
        )}
        {warnings.length > 0 && <Sentences title="Also true" texts={warnings.map(({ text }) => text)} />}
        {limits.length > 0 && <Sentences title="Taken for granted" texts={limits} />}
      </div>
    </aside>
  );
}

function Sentences({ title, texts }: { readonly title: string; readonly texts: readonly string[] }) {
  return (
    <section class="walk-part">
      <h3>{title}</h3>
      <ul class="sentences">
        {texts.map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
    </section>
  );
}

interface StepItemProps {
  readonly step: Step;
  readonly number: number;
  readonly open: boolean;
  readonly look: (step: number) => void;
}

function StepItem({ step, number, open, look }: StepItemProps): JSX.Element {
  const tone: Tone = step.ok ? "ok" : "bad";
  return (
    <li class={`step${open ? " open" : ""}${step.ok ? "" : " broken"}`} aria-current={open ? "step" : undefined}>
      <button type="button" onClick={() => look(number)} aria-expanded={open}>
        <span class="step-number">{number}</span>
        <span class="step-text">
          <small>{stepWords[step.kind]}</small>
          <span>{step.text}</span>
        </span>
        <span class={`mark is-${tone}`}>
          <Shape tone={tone} />
          <span class="visually-hidden">{step.ok ? "passes" : "breaks here"}</span>
        </span>
      </button>
      {open && step.candidates.length > 0 && <Candidates candidates={step.candidates} />}
    </li>
  );
}

const fewCandidates = 8;

function Candidates({ candidates }: { readonly candidates: readonly Candidate[] }) {
  const [all, setAll] = useState(false);
  useEffect(() => setAll(false), [candidates]);
  const shown = all ? candidates : candidates.slice(0, fewCandidates);
  return (
    <ul class="candidates">
      {shown.map(({ kept, name, reason, detail }, index) => (
        <li key={`${name} ${index}`} class={kept ? "kept" : "left"}>
          <span class={`mark is-${kept ? "ok" : "idle"}`}>
            <Shape tone={kept ? "ok" : "bad"} />
          </span>
          <span class="mono">{name}</span>
          <span class={`tag${kept ? " ok" : ""}`}>{reason}</span>
          {detail !== "" && <small>{detail}</small>}
        </li>
      ))}
      {candidates.length > shown.length && (
        <li>
          <button type="button" class="button quiet" onClick={() => setAll(true)}>
            {candidates.length - shown.length} more
          </button>
        </li>
      )}
    </ul>
  );
}
