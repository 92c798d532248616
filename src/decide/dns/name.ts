/**
 * Domain names as text: absolute, ending in a dot, in presentation form (`\.` and `\DDD` escape bytes of a label, RFC 1035 5.1).
 * Comparison is by ASCII case folding (RFC 4343): callers fold once with `foldName` and compare with `===`.
 */

export const foldName = (name: string): string => name.toLowerCase();

/** With the final dot. */
export const absolute = (name: string): string => (endsAbsolute(name) ? name : `${name}.`);

function endsAbsolute(name: string): boolean {
  if (!name.endsWith(".")) return false;
  let escapes = 0;
  for (let i = name.length - 2; i >= 0 && name[i] === "\\"; i--) escapes++;
  return escapes % 2 === 0;
}

/** The labels, left to right, still escaped; none for the root. */
export function labelsOf(name: string): string[] {
  if (name === "." || name === "") return [];
  const body = endsAbsolute(name) ? name.slice(0, -1) : name;
  if (!body.includes("\\")) return body.split(".");
  const labels: string[] = [];
  let start = 0;
  for (let i = 0; i < body.length; i++) {
    if (body[i] === "\\") i++;
    else if (body[i] === ".") {
      labels.push(body.slice(start, i));
      start = i + 1;
    }
  }
  labels.push(body.slice(start));
  return labels;
}

/** Whether `name` is `zone` or below it; both folded and absolute. */
export function isWithin(zone: string, name: string): boolean {
  if (zone === "." || name === zone) return true;
  if (!name.endsWith(zone)) return false;
  const at = name.length - zone.length - 1;
  // The dot before the suffix must separate labels, not belong to one.
  return at >= 0 && name[at] === "." && endsAbsolute(name.slice(0, at + 1));
}

/** The longest of `zones` that holds `name`; all folded. */
export function matchZone(zones: readonly string[], name: string): string | undefined {
  let best: string | undefined;
  for (const zone of zones) if (isWithin(zone, name) && (best === undefined || zone.length > best.length)) best = zone;
  return best;
}

/** `name` without `.zone.`; the empty string at the zone itself. `name` must be within `zone`. */
export function withoutZone(name: string, zone: string): string {
  if (zone === ".") return name === "." ? "" : name.slice(0, -1);
  return name.length === zone.length ? "" : name.slice(0, name.length - zone.length - 1);
}

/** `ns.dns` under `zone`. */
export const under = (relative: string, zone: string): string => (zone === "." ? `${relative}.` : `${relative}.${zone}`);

/**
 * Whether the text can be a domain name at all: labels of 1 to 63 bytes, 255 bytes in all, escapes complete.
 * Any byte may stand in a label (RFC 2181 11); what a host may be called is another question.
 */
export function isDomainName(name: string): boolean {
  if (name === ".") return true;
  if (name === "") return false;
  let total = 1;
  for (const label of labelsOf(name)) {
    const length = labelLength(label);
    if (length === undefined || length === 0 || length > 63) return false;
    total += length + 1;
  }
  return total <= 255;
}

function labelLength(label: string): number | undefined {
  if (!label.includes("\\")) return Buffer.byteLength(label, "utf8");
  let length = 0;
  for (let i = 0; i < label.length; i++, length++) {
    if (label[i] !== "\\") continue;
    const digits = /^\d{1,3}/.exec(label.slice(i + 1))?.[0] ?? "";
    if (digits.length > 0 && (digits.length < 3 || Number(digits) > 255)) return undefined;
    if (digits === "" && i + 1 >= label.length) return undefined;
    i += digits.length === 3 ? 3 : 1;
  }
  return length;
}
