/**
 * What a page behind the proxy says of its own addresses, made to lead through the proxy again: `Location` headers and the links of HTML
 * (apimachinery `pkg/util/proxy/transport.go`). Pure.
 */

export interface ProxyBase {
  /** `/api/v1/namespaces/default/services/web/proxy` */
  readonly prefix: string;
  /** As the client knows the API server: `127.0.0.1:6443`. */
  readonly host: string;
  /** As the backend was asked: `10.96.0.7:8080`. */
  readonly backend: string;
}

/** An absolute path, or an URL of the backend's, gets the prefix; what is relative or of elsewhere stays as it is. */
export function rewriteUrl(text: string, { prefix, host, backend }: ProxyBase): string {
  const match = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(.*)$/is.exec(text);
  const [, scheme = "", authority = "", path = "", rest = ""] = match ?? [];
  const elsewhere = authority !== "" && authority !== backend && authority !== host;
  if (elsewhere || !path.startsWith("/") || (scheme !== "" && authority === "")) return text;
  const origin = authority === "" ? "" : `https://${host}`;
  return `${origin}${path.startsWith(prefix) ? path : `${prefix}${normalized(path)}`}${rest}`;
}

/** Without empty, `.` and `..` segments: a page cannot lead out of its prefix. */
function normalized(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") kept.pop();
    else if (segment !== "" && segment !== ".") kept.push(segment);
  }
  return `/${kept.join("/")}${path.endsWith("/") && kept.length > 0 ? "/" : ""}`;
}

/** Attributes that hold an URL (HTML 4.01 and 5), whatever the element. */
const attributes = "action|background|cite|classid|codebase|data|formaction|href|icon|longdesc|manifest|poster|profile|src|usemap";
const tag = /<[a-z][a-z0-9-]*(?=[\s/])(?:[^>"']|"[^"]*"|'[^']*')*>/gi;
const attribute = new RegExp(`(\\s(?:${attributes})\\s*=\\s*)("[^"]*"|'[^']*'|[^\\s"'>]+)`, "gi");

export function rewriteHtml(html: string, base: ProxyBase): string {
  return html.replace(tag, (element) =>
    element.replace(attribute, (_whole, before: string, value: string) => {
      const quote = /^["']/.exec(value)?.[0] ?? "";
      const bare = quote === "" ? value : value.slice(1, -1);
      return `${before}${quote}${rewriteUrl(bare, base)}${quote}`;
    }),
  );
}
