/**
 * The rules of names, labels and other short texts, with the messages that clients see (apimachinery
 * `pkg/util/validation/validation.go` and `pkg/api/validate/content`, 1.36). Each rule answers a list of faults; empty
 * means valid. Lengths count bytes, as Go counts them.
 */

export type TextRule = (text: string) => readonly string[];

const bytes = (text: string): number => Buffer.byteLength(text);

/** Upstream has two texts for one rule: the older package says `characters`, the one of labels says `bytes`; both count bytes. */
export const maxLengthError = (max: number, unit: "bytes" | "characters" = "characters"): string => `must be no more than ${max} ${unit}`;

export const rangeError = (low: number, high: number): string => `must be between ${low} and ${high}, inclusive`;

/** Also with the odd comma before `or`: clients compare these texts. */
function patternError(message: string, pattern: string, examples: readonly string[]): string {
  if (examples.length === 0) return `${message} (regex used for validation is '${pattern}')`;
  return `${message} (e.g. ${examples.map((example) => `'${example}', `).join(" or ")}regex used for validation is '${pattern}')`;
}

const whole = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`);

interface PatternRule {
  readonly pattern: string;
  readonly message: string;
  readonly examples: readonly string[];
  readonly max?: number;
  readonly unit?: "bytes";
}

function patternRule({ pattern, message, examples, max, unit }: PatternRule): TextRule {
  const expression = whole(pattern);
  const fault = patternError(message, pattern, examples);
  return (text) => {
    const faults: string[] = [];
    if (max !== undefined && bytes(text) > max) faults.push(maxLengthError(max, unit));
    if (!expression.test(text)) faults.push(fault);
    return faults;
  };
}

const label1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomain1123 = `${label1123}(\\.${label1123})*`;
const label1123Expression = whole(label1123);
const subdomain1123Expression = whole(subdomain1123);

const label1123Fault = patternError(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  label1123,
  ["my-name", "123-abc"],
);

/** RFC 1123 label, at most 63 bytes: namespaces, Services, ports, containers, volumes. */
export function dns1123Label(text: string): readonly string[] {
  const faults: string[] = [];
  if (bytes(text) > 63) faults.push(maxLengthError(63));
  if (!label1123Expression.test(text)) faults.push(subdomain1123Expression.test(text) ? "must not contain dots" : label1123Fault);
  return faults;
}

const subdomainRule: PatternRule = {
  pattern: subdomain1123,
  message:
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  examples: ["example.com"],
  max: 253,
};

/** RFC 1123 subdomain, at most 253 bytes: the name of most objects. */
export const dns1123Subdomain = patternRule(subdomainRule);

const labelKeyPrefix = patternRule({ ...subdomainRule, unit: "bytes" });

const label1123Underscore = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";

/** Like `dns1123Subdomain`, with underscores: DNS search paths. */
export const dns1123SubdomainWithUnderscore = patternRule({
  pattern: `${label1123Underscore}(\\.${label1123Underscore})*`,
  message:
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
  examples: ["example.com"],
  max: 253,
});

/** RFC 1035 label: starts with a letter. */
export const dns1035Label = patternRule({
  pattern: "[a-z]([-a-z0-9]*[a-z0-9])?",
  message:
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  examples: ["my-name", "abc-123"],
  max: 63,
});

export const wildcardDns1123Subdomain = patternRule({
  pattern: `\\*\\.${subdomain1123}`,
  message:
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  examples: ["*.example.com"],
  max: 253,
});

const namePattern = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const nameMessage = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const nameExpression = whole(namePattern);
const nameFault = patternError(nameMessage, namePattern, ["MyName", "my.name", "123-abc"]);

/** `name` or `prefix.example.com/name`: label and annotation keys, finalizers, appProtocol, loadBalancerClass. */
export function qualifiedName(text: string): readonly string[] {
  const parts = text.split("/");
  if (parts.length > 2) return [`a valid label key ${nameFault} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  const faults: string[] = [];
  const name = parts.at(-1) as string;
  if (parts.length === 2) {
    const prefix = parts[0] as string;
    if (prefix === "") faults.push("prefix part must be non-empty");
    else faults.push(...labelKeyPrefix(prefix).map((fault) => `prefix part ${fault}`));
  }
  if (name === "") faults.push("name part must be non-empty");
  else if (bytes(name) > 63) faults.push(`name part ${maxLengthError(63, "bytes")}`);
  if (!nameExpression.test(name)) faults.push(`name part ${nameFault}`);
  return faults;
}

export const labelValue = patternRule({
  pattern: `(${namePattern})?`,
  message:
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  examples: ["MyValue", "my_value", "12345"],
  max: 63,
  unit: "bytes",
});

/** IANA service name (RFC 6335), lower case only: container port names and named target ports. */
export function portName(text: string): readonly string[] {
  const faults: string[] = [];
  if (bytes(text) > 15) faults.push(maxLengthError(15));
  if (!/^[-a-z0-9]+$/.test(text)) faults.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!/[a-z]/.test(text)) faults.push("must contain at least one letter (a-z)");
  if (text.includes("--")) faults.push("must not contain consecutive hyphens");
  if (text.startsWith("-") || text.endsWith("-")) faults.push("must not begin or end with a hyphen");
  return faults;
}

export const portNumber = (port: number): readonly string[] => (port >= 1 && port <= 65535 ? [] : [rangeError(1, 65535)]);

export const httpHeaderName = patternRule({
  pattern: "[-A-Za-z0-9]+",
  message: "a valid HTTP header must consist of alphanumeric characters or '-'",
  examples: ["X-Header-Name"],
});

export const percent = patternRule({
  pattern: "[0-9]+%",
  message: "a valid percent string must be a numeric string followed by an ending '%'",
  examples: ["1%", "93%"],
});

/** Names such as `..data` would reach outside a volume's directory. */
function parentDirectory(text: string): readonly string[] {
  if (text === ".") return ["must not be '.'"];
  if (text === "..") return ["must not be '..'"];
  return text.startsWith("..") ? ["must not start with '..'"] : [];
}

const configKey = patternRule({
  pattern: "[-._a-zA-Z0-9]+",
  message: "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  examples: ["key.name", "KEY_NAME", "key-name"],
  max: 253,
});

/** Keys of ConfigMaps and Secrets, which become file names. */
export const configMapKey: TextRule = (text) => [...configKey(text), ...parentDirectory(text)];

const strictEnvVarName = patternRule({
  pattern: "[-._a-zA-Z][-._a-zA-Z0-9]*",
  message:
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit",
  examples: ["my.env-name", "MY_ENV.NAME", "MyEnvName1"],
});

/** The strict rule of environment variables (before 1.32; ConfigMap keys used as variables still pass through it in some tools). */
export const envVarName: TextRule = (text) => [...strictEnvVarName(text), ...parentDirectory(text)];

/** Printable ASCII except `=`: what a container's `env[].name` may be (KEP-4369). */
export function relaxedEnvVarName(text: string): readonly string[] {
  if (text === "") return ["environment variable name must be non-empty"];
  return /^[\x20-\x3c\x3e-\x7e]*$/.test(text)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

/** What no name may be or contain, since names are parts of URL paths (apimachinery `pkg/api/validation/path`). */
export function pathSegment(text: string): readonly string[] {
  if (text === "." || text === "..") return [`may not be '${text}'`];
  return ["/", "%"].filter((part) => text.includes(part)).map((part) => `may not contain '${part}'`);
}

/** The rules of `metadata.name` that a `KindSpec` may name. */
export const nameRules = { dns1123Label, dns1123Subdomain, dns1035Label, pathSegment } as const satisfies Readonly<
  Record<string, TextRule>
>;

/** A `generateName` may end in a dash, as something will follow it. */
export function maskTrailingDash(prefix: string): string {
  return prefix.length > 1 && prefix.endsWith("-") ? `${prefix.slice(0, -2)}a` : prefix;
}

const fullyQualified = (text: string, segments: number, words: string): readonly string[] => {
  const faults = dns1123Subdomain(text);
  if (faults.length > 0) return faults;
  return text.split(".").length < segments ? [`should be a domain with at least ${words} segments separated by dots`] : [];
};

/** A domain of two or more labels, a trailing dot allowed: webhook hosts. Empty text is left to `required`. */
export function fullyQualifiedDomainName(text: string): readonly string[] {
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  const faults = fullyQualified(name, 2, "two");
  return faults.length > 0 ? faults : name.split(".").flatMap(dns1123Label);
}

/** A domain of three or more labels, without trailing dot. */
export const fullyQualifiedName: TextRule = (text) => fullyQualified(text, 3, "three");

/** `example.com/key`: a label key that has a domain. */
export function domainPrefixedKey(text: string): readonly string[] {
  if (text === "") return ["Required value"];
  const faults = qualifiedName(text);
  if (faults.length > 0) return faults;
  return text.includes("/") ? [] : ['must be a domain-prefixed key (such as "acme.io/foo")'];
}

/** `acme.io/foo`: GatewayClass controllers, IngressClass controllers, API groups of annotations. */
export function domainPrefixedPath(text: string): readonly string[] {
  const slash = text.indexOf("/");
  if (slash <= 0 || slash === text.length - 1) return ['must be a domain-prefixed path (such as "acme.io/foo")'];
  const pattern = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
  const faults = dns1123Subdomain(text.slice(0, slash));
  return whole(pattern).test(text.slice(slash + 1)) ? faults : [...faults, patternError("Invalid path", pattern, [])];
}
