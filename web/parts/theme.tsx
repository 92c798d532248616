/** Light or dark: what the machine says, until somebody chooses. */
import { useState } from "preact/hooks";
import { MoonIcon, SunIcon } from "./icons.tsx";

const storageKey = "fairlead-console-theme";

type Theme = "light" | "dark";

function chosen(): Theme | undefined {
  const text = localStorage.getItem(storageKey);
  return text === "light" || text === "dark" ? text : undefined;
}

export function applyTheme(theme = chosen()): void {
  if (theme !== undefined) document.documentElement.dataset["theme"] = theme;
}

function current(): Theme {
  return chosen() ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

export function ThemeButton() {
  const [theme, setTheme] = useState(current);
  const other = theme === "dark" ? "light" : "dark";
  const choose = () => {
    localStorage.setItem(storageKey, other);
    applyTheme(other);
    setTheme(other);
    // What is drawn on a canvas takes its colours from the page.
    dispatchEvent(new Event("themechange"));
  };
  return (
    <button type="button" class="button quiet icon" onClick={choose} aria-label={`Use the ${other} theme`} title={`Use the ${other} theme`}>
      {theme === "dark" ? <SunIcon /> : <MoonIcon />}
    </button>
  );
}
