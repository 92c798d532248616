/**
 * Structured log lines: one line an event, either `logfmt`-like text for people or JSON for machines.
 * A logger never throws and never waits; what a line costs is one string and one write.
 */

export type LogLevel = "error" | "warn" | "info" | "debug";

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A logger whose lines carry `component` and these fields. */
  child(component: string, fields?: LogFields): Logger;
}

const order: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };

export interface LoggerOptions {
  /** Lines less important than this are dropped. Default `info`. */
  readonly level?: LogLevel;
  /** Default `text`. */
  readonly format?: "text" | "json";
  /** Where a finished line goes, newline included. Default: standard error. */
  readonly write?: (line: string) => void;
  readonly now?: () => number;
}

export function createLogger(options: LoggerOptions = {}): Logger {
  const level = order[options.level ?? "info"];
  const format = options.format ?? "text";
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const now = options.now ?? Date.now;
  const make = (component: string, base: LogFields): Logger => {
    const emit = (at: LogLevel, message: string, fields?: LogFields) => {
      if (order[at] > level) return;
      const all = { ...base, ...fields };
      write(format === "json" ? jsonLine(now(), at, component, message, all) : textLine(now(), at, component, message, all));
    };
    return {
      error: (message, fields) => emit("error", message, fields),
      warn: (message, fields) => emit("warn", message, fields),
      info: (message, fields) => emit("info", message, fields),
      debug: (message, fields) => emit("debug", message, fields),
      child: (name, fields) => make(component === "" ? name : `${component}/${name}`, { ...base, ...fields }),
    };
  };
  return make("", {});
}

/** Drops everything; the default of every component's options. */
export const silentLogger: Logger = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  child: () => silentLogger,
};

function jsonLine(time: number, level: LogLevel, component: string, message: string, fields: LogFields): string {
  const plain = Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plainValue(value)]));
  return `${JSON.stringify({ time: new Date(time).toISOString(), level, component, message, ...plain })}\n`;
}

function textLine(time: number, level: LogLevel, component: string, message: string, fields: LogFields): string {
  const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${textValue(plainValue(value))}`);
  const where = component === "" ? "" : ` ${component}:`;
  return `${new Date(time).toISOString()} ${level.padEnd(5)}${where} ${message}${pairs.join("")}\n`;
}

function plainValue(value: unknown): unknown {
  return value instanceof Error ? value.message : value;
}

function textValue(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return /^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text);
}
