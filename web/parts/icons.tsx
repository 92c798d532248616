/** Line drawings of 20 by 20, in the colour of the text around them. */
import type { JSX } from "preact";

function icon(...paths: readonly string[]): () => JSX.Element {
  return () => (
    <svg
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {paths.map((path) => (
        <path key={path} d={path} />
      ))}
    </svg>
  );
}

export const MapIcon = icon("M4 10h3.5", "M12.5 6.5 16 4.5", "M12.5 13.5 16 15.5", "M10 7.5a2.5 2.5 0 1 0 .01 5 2.5 2.5 0 0 0-.01-5Z");
export const ServicesIcon = icon("M3.5 5.5h13v3.5h-13z", "M3.5 11h13v3.5h-13z", "M6 7.25h.01", "M6 12.75h.01");
export const PodsIcon = icon("M10 2.8 16.2 6.4v7.2L10 17.2 3.8 13.6V6.4z", "M3.8 6.4 10 10l6.2-3.6", "M10 10v7.2");
export const NodesIcon = icon("M4 3.5h12v9H4z", "M7.5 16.5h5", "M10 12.5v4");
export const DnsIcon = icon(
  "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14Z",
  "M3 10h14",
  "M10 3c4.5 4.3 4.5 9.7 0 14",
  "M10 3c-4.5 4.3-4.5 9.7 0 14",
);
export const GatewayIcon = icon("M3 10h7", "M10 10 15 5h2.5", "M10 10l5 5h2.5", "M15.5 3 17.5 5l-2 2", "M15.5 13l2 2-2 2");
export const SearchIcon = icon("M9 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11Z", "m13.2 13.2 3.3 3.3");
export const SunIcon = icon(
  "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7Z",
  "M10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1M15.7 4.3l-1.1 1.1M5.4 14.6l-1.1 1.1",
);
export const MoonIcon = icon("M16.5 11.8A6.8 6.8 0 0 1 8.2 3.5a6.8 6.8 0 1 0 8.3 8.3Z");
export const CloseIcon = icon("m5 5 10 10", "M15 5 5 15");
export const BackIcon = icon("M12 4.5 6.5 10l5.5 5.5");
export const ForwardIcon = icon("M8 4.5 13.5 10 8 15.5");
