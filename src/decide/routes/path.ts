/**
 * Paths of requests, in one form for matching and for forwarding, so that gateway and backend never see two different
 * paths: what a rule keeps away from a backend does not come back by another spelling.
 *
 * As RFC 3986 6.2.2 has it: percent-encoded unreserved characters are decoded (`%61` → `a`), other encodings keep their
 * meaning and get upper-case digits (`%2f` → `%2F`, which is never a separator), `.` and `..` are resolved. Empty elements
 * stay (`//` is not `/`). A path that leaves the root, has a NUL, a broken encoding or a backslash is refused.
 */

export type PathResult = { readonly kind: "ok"; readonly path: string } | { readonly kind: "bad"; readonly why: string };

/** `path` begins with `/` and has no query; its characters are visible ASCII. */
export function normalizePath(path: string): PathResult {
  if (!/%|\/\.|\\/.test(path)) return { kind: "ok", path };
  if (path.includes("\\")) return { kind: "bad", why: "a backslash in the path" };
  const broken = /%(?![0-9a-fA-F]{2})/.test(path);
  if (broken) return { kind: "bad", why: "a percent sign in the path that encodes nothing" };
  if (path.includes("%00")) return { kind: "bad", why: "a NUL in the path" };
  if (/%5c/i.test(path)) return { kind: "bad", why: "a backslash in the path" };
  return withoutDots(path.replace(/%[0-9a-fA-F]{2}/g, decodeUnreserved));
}

function decodeUnreserved(code: string): string {
  const character = String.fromCharCode(Number.parseInt(code.slice(1), 16));
  return /[A-Za-z0-9._~-]/.test(character) ? character : code.toUpperCase();
}

/** RFC 3986 5.2.4, except that climbing above the root is an error. */
function withoutDots(path: string): PathResult {
  if (!path.includes("/.")) return { kind: "ok", path };
  const kept: string[] = [];
  const elements = path.slice(1).split("/");
  for (const [index, element] of elements.entries()) {
    const last = index === elements.length - 1;
    if (element === ".." && kept.pop() === undefined) return { kind: "bad", why: "a path that leaves the root" };
    if (element !== "." && element !== "..") kept.push(element);
    else if (last) kept.push("");
  }
  return { kind: "ok", path: `/${kept.join("/")}` };
}

/** `/aaa/bbb/` → `["aaa", "bbb"]`: a final slash means nothing to a prefix. `/` → `[]`. */
export function prefixElements(prefix: string): readonly string[] {
  const text = prefix.endsWith("/") ? prefix.slice(1, -1) : prefix.slice(1);
  return text === "" ? [] : text.split("/");
}

/** Whether the prefix' elements are the first elements of the path. */
export function hasPrefix(path: string, prefix: string): boolean {
  const text = prefix.endsWith("/") ? prefix.slice(0, -1) : prefix;
  return path.startsWith(text) && (path.length === text.length || path.charCodeAt(text.length) === 47);
}
