/** `Warning:` headers (RFC 9111 section 5.5): `299 - "text"`, several in one header or one each. */

const warning = /(\d{3}) (?:\S+) "((?:[^"\\]|\\.)*)"/g;

/** The texts of warnings with code 299, which Kubernetes uses. */
export function warningTexts(header: string | readonly string[] | undefined): string[] {
  if (header === undefined) return [];
  const values = typeof header === "string" ? [header] : header;
  return values.flatMap((value) =>
    [...value.matchAll(warning)].flatMap(([, code, text = ""]) => (code === "299" ? [text.replace(/\\(.)/g, "$1")] : [])),
  );
}
