/** The page's own addresses: `/services/shop/web?mode=ipvs`. Links are plain links; a click on one of ours stays in the page. */
import { useEffect, useState } from "preact/hooks";

export interface Place {
  /** Decoded elements of the path. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

const listeners = new Set<() => void>();

export function placeNow(): Place {
  const path = location.pathname.split("/").filter((part) => part !== "");
  return { path: path.map(decodeURIComponent), query: new URLSearchParams(location.search) };
}

export function go(href: string, how: "push" | "replace" = "push"): void {
  if (how === "push") history.pushState(null, "", href);
  else history.replaceState(null, "", href);
  for (const listener of listeners) listener();
}

/** The present address with some parameters otherwise; an empty value takes one out. */
export function withQuery(changes: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "") query.delete(name);
    else query.set(name, value);
  }
  return `${location.pathname}${query.size === 0 ? "" : `?${query}`}`;
}

export function usePlace(): Place {
  const [place, setPlace] = useState(placeNow);
  useEffect(() => {
    const look = () => setPlace(placeNow());
    listeners.add(look);
    addEventListener("popstate", look);
    return () => {
      listeners.delete(look);
      removeEventListener("popstate", look);
    };
  }, []);
  return place;
}

/** Takes over clicks on links into this page. */
export function catchLinks(): void {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element).closest("a");
    if (link === null || link.target !== "" || link.origin !== location.origin) return;
    event.preventDefault();
    if (link.href !== location.href) go(link.pathname + link.search);
  });
}

export const serviceHref = (key: string): string => `/services/${key.split("/").map(encodeURIComponent).join("/")}`;
export const askHref = (target: string, from = ""): string => `/?${new URLSearchParams({ ask: target, ...(from === "" ? {} : { from }) })}`;
