/**
 * kube-proxy's command line, in the manner of pflag: `--flag=value`, `--flag value`, truth values also without a value. With
 * `--config` only the file counts, but for `--hostname-override` and the flags of logging, as upstream has it
 * (cmd/kube-proxy/app/options.go `Complete`). Pure.
 */
import { FairleadError } from "../../lib/errors.ts";
import { fields, flagSetsAlso, type Field, type FieldValue } from "./fields.ts";
import { valueOfText, type Values } from "./values.ts";

/** What is told on the command line alone. */
export interface ProgramFlags {
  readonly config?: string;
  readonly writeConfigTo?: string;
  readonly cleanup: boolean;
  readonly initOnly: boolean;
  readonly version: boolean;
  readonly help: boolean;
  readonly master?: string;
  /** `-v`: 0 and up; 4 and more are debugging. */
  readonly verbosity: number;
  readonly logFormat: "text" | "json";
  /** Ours: end where a mode cannot be had, as kube-proxy does, instead of taking the next best. */
  readonly strictMode: boolean;
  readonly localhostNodePorts: boolean;
}

export interface CommandLine {
  readonly program: ProgramFlags;
  /** Of the configuration's fields, those that were given. */
  readonly values: Values;
  /** Flags that are to be given no more, and such that do nothing here. */
  readonly warnings: readonly string[];
}

type ProgramFlagType = "bool" | "string" | "int" | "ignored";

const programFlags: Readonly<Record<string, { readonly type: ProgramFlagType; readonly help: string }>> = {
  config: { type: "string", help: "a KubeProxyConfiguration; other flags then count no more" },
  "write-config-to": { type: "string", help: "write the configuration to this file, and end" },
  cleanup: { type: "bool", help: "take all rules away, ours and kube-proxy's, and end" },
  "init-only": { type: "bool", help: "set what needs root (sysctls), and end" },
  version: { type: "bool", help: "print the version" },
  help: { type: "bool", help: "print this" },
  master: { type: "string", help: "the API server's URL, instead of the kubeconfig's" },
  v: { type: "int", help: "how much is logged: 4 and more for debugging" },
  "logging-format": { type: "string", help: "text or json" },
  "strict-mode": { type: "bool", help: "end where the mode cannot be had here, as kube-proxy does, instead of taking the next best" },
  "localhost-nodeports": {
    type: "bool",
    help: "kernel modes: let NodePorts be reached at 127.0.0.1 and ::1 by sockets of this program (mode iptables has IPv4's by rules)",
  },
  "healthz-port": { type: "int", help: "deprecated: --healthz-bind-address" },
  "metrics-port": { type: "int", help: "deprecated: --metrics-bind-address" },
  vmodule: { type: "ignored", help: "" },
  "log-flush-frequency": { type: "ignored", help: "" },
  "log-json-info-buffer-size": { type: "ignored", help: "" },
  "log-json-split-stream": { type: "ignored", help: "" },
  "log-text-info-buffer-size": { type: "ignored", help: "" },
  "log-text-split-stream": { type: "ignored", help: "" },
  "boot-id-file": { type: "ignored", help: "" },
  "machine-id-file": { type: "ignored", help: "" },
};
const switches: ReadonlySet<string> = new Set(["log-json-split-stream", "log-text-split-stream"]);

/** An empty flag means no server, an empty field in a file the default. */
const disablable: ReadonlySet<string> = new Set(["healthzBindAddress", "metricsBindAddress"]);
const fieldsByFlag: ReadonlyMap<string, Field> = new Map(fields.flatMap((one) => (one.flags ?? []).map((flag) => [flag, one] as const)));

/** Throws FL_USAGE. */
export function parseCommandLine(words: readonly string[]): CommandLine {
  const given = new Map<string, string>();
  const values = new Map<string, FieldValue>();
  const warnings: string[] = [];
  for (const { name, text } of readWords(words)) {
    const field = fieldsByFlag.get(name);
    if (field === undefined) {
      given.set(name, text);
      if (programFlags[name]?.type === "ignored") warnings.push(`--${name} has no effect: the log here has one form`);
      continue;
    }
    const value = disablable.has(field.path) && text === "" ? "none" : valueOfText(field, text, `--${name}`);
    values.set(field.path, merged(field, values.get(field.path), value));
    const other = flagSetsAlso[field.path];
    if (other !== undefined) values.set(other, value);
    if (field.noEffect !== undefined) warnings.push(`--${name} has no effect: ${field.noEffect}`);
  }
  ports(given, values, warnings);
  return { program: programOf(given), values, warnings };
}

/** A list's flag may be given several times. */
function merged({ type }: Field, old: FieldValue | undefined, value: FieldValue): FieldValue {
  if (old === undefined) return value;
  if (type === "list") return [...(old as readonly string[]), ...(value as readonly string[])];
  return type === "gates" ? { ...(old as object), ...(value as object) } : value;
}

function* readWords(words: readonly string[]): Generator<{ readonly name: string; readonly text: string }> {
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const [, dashes = "", name = "", inline] = /^(--|-(?=[vh]))([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === "")
      throw new FairleadError("FL_USAGE", `fairlead proxy takes no argument: ${word}`, {
        hint: "fairlead proxy serve --help shows the flags.",
      });
    const [full, glued] = dashes === "-" ? shorthand(name) : [name, undefined];
    const type = fieldsByFlag.get(full)?.type ?? programFlags[full]?.type;
    if (type === undefined)
      throw new FairleadError("FL_USAGE", `unknown flag: --${full}`, { hint: "fairlead proxy serve --help shows the flags." });
    const text = inline ?? glued ?? (type === "bool" || switches.has(full) ? "true" : words[++i]);
    if (text === undefined) throw new FairleadError("FL_USAGE", `flag needs an argument: --${full}`);
    yield { name: full, text };
  }
}

/** `-v4`, `-v=4`, `-h`. */
function shorthand(text: string): readonly [string, string | undefined] {
  if (text === "h") return ["help", undefined];
  return text.startsWith("v") ? ["v", text.length > 1 ? text.slice(1) : undefined] : [text, undefined];
}

/** The flags from before there were addresses: a port for the address that is the default, 0 for none (`addressFromDeprecatedFlags`). */
function ports(given: ReadonlyMap<string, string>, values: Map<string, FieldValue>, warnings: string[]): void {
  for (const [flag, path, standard] of [
    ["healthz-port", "healthzBindAddress", "0.0.0.0"],
    ["metrics-port", "metricsBindAddress", "127.0.0.1"],
  ] as const) {
    const text = given.get(flag);
    if (text === undefined) continue;
    warnings.push(`Flag --${flag} has been deprecated, use --${flag.replace("-port", "-bind-address")} instead`);
    const address = (values.get(path) as string | undefined) ?? standard;
    if (text === "0") values.set(path, "none");
    else if (!/^(\[.*\]|[^:]*):\d+$/.test(address)) values.set(path, `${address}:${text}`);
  }
}

function programOf(given: ReadonlyMap<string, string>): ProgramFlags {
  const truth = (name: string) => given.has(name) && (valueOfText({ type: "bool" }, given.get(name) as string, `--${name}`) as boolean);
  const text = <Key extends string>(key: Key, name: string) => (given.has(name) ? ({ [key]: given.get(name) } as Record<Key, string>) : {});
  const logFormat = given.get("logging-format") ?? "text";
  if (logFormat !== "text" && logFormat !== "json") throw new FairleadError("FL_USAGE", `--logging-format ${logFormat}: text or json`);
  return {
    ...text("config", "config"),
    ...text("writeConfigTo", "write-config-to"),
    ...text("master", "master"),
    cleanup: truth("cleanup"),
    initOnly: truth("init-only"),
    version: truth("version"),
    help: truth("help"),
    strictMode: truth("strict-mode"),
    localhostNodePorts: truth("localhost-nodeports"),
    verbosity: valueOfText({ type: "int" }, given.get("v") ?? "0", "-v") as number,
    logFormat,
  };
}

/** `--flag type  what it is (default)`, a line each. */
export function flagsText(): string {
  const own = Object.entries(programFlags).flatMap(([name, { type, help }]) => (help === "" ? [] : [[name, type, help] as const]));
  const configured = fields.flatMap(({ flags = [], type, help, noEffect }) =>
    flags.map((name) => [name, type, noEffect === undefined ? help : `no effect: ${noEffect}`] as const),
  );
  return [...own, ...configured]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, type, help]) => `  --${`${name}${type === "bool" ? "" : ` ${type}`}`.padEnd(46)}${help}`)
    .join("\n");
}
