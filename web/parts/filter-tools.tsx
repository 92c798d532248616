/** A search and a namespace, kept in the address of the page. */
import type { ComponentChildren, JSX } from "preact";
import { go, withQuery } from "../route.ts";
import type { RowFilter } from "./filter.ts";

export interface FilterToolsProps {
  readonly filter: RowFilter;
  readonly namespaces: readonly string[];
  readonly placeholder: string;
  readonly children?: ComponentChildren;
}

export function FilterTools({ filter, namespaces, placeholder, children }: FilterToolsProps): JSX.Element {
  const set = (name: string) => (event: Event) => go(withQuery({ [name]: (event.currentTarget as HTMLInputElement).value }), "replace");
  return (
    <div class="tools" role="search">
      <input class="field" type="search" aria-label={placeholder} placeholder={placeholder} value={filter.text} onInput={set("q")} />
      <select class="field" aria-label="Namespace" value={filter.namespace} onChange={set("ns")}>
        <option value="">All namespaces</option>
        {namespaces.map((namespace) => (
          <option key={namespace} value={namespace}>
            {namespace}
          </option>
        ))}
      </select>
      {children}
    </div>
  );
}
