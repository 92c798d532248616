/** Where a person types what they want to know: a URL, a name, a Service, an address and port. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { askHref, go, usePlace } from "../route.ts";
import { SearchIcon } from "./icons.tsx";

export function AskBar(): JSX.Element {
  const { query } = usePlace();
  const asked = query.get("ask") ?? "";
  const [target, setTarget] = useState(asked);
  const [from, setFrom] = useState(query.get("from") ?? "");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => setTarget(asked), [asked]);
  useEffect(() => {
    const slash = (event: KeyboardEvent) => {
      if (event.key !== "/" || /^(INPUT|TEXTAREA|SELECT)$/.test((event.target as Element).tagName)) return;
      event.preventDefault();
      field.current?.select();
    };
    addEventListener("keydown", slash);
    return () => removeEventListener("keydown", slash);
  }, []);
  const submit = (event: Event) => {
    event.preventDefault();
    if (target.trim() !== "") go(askHref(target.trim(), from.trim()));
  };
  return (
    <form class="ask" onSubmit={submit} role="search" aria-label="Explain a request">
      <label class="target">
        <SearchIconBox />
        <span class="visually-hidden">What to explain: a URL, a name, a Service, an address and port</span>
        <input
          ref={field}
          value={target}
          placeholder="Why does …  http://shop.localhost/cart · web.shop · svc/web · 10.96.0.10:53"
          onInput={(event) => setTarget(event.currentTarget.value)}
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
        />
      </label>
      <label class="from">
        from
        <input
          value={from}
          placeholder="any pod"
          aria-label="Who asks: pod/NAMESPACE/NAME, node/NAME, outside, or an address"
          title="pod/NAMESPACE/NAME, node/NAME, outside, or an address"
          onInput={(event) => setFrom(event.currentTarget.value)}
          spellcheck={false}
          autocomplete="off"
        />
      </label>
      <button type="submit" class="button primary">
        Explain
      </button>
    </form>
  );
}

function SearchIconBox() {
  return (
    <span class="ask-icon">
      <SearchIcon />
    </span>
  );
}
