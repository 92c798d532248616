/**
 * Schedules of CronJobs: the five fields of cron, names of months and days, `@daily` and its like, `@every 90s`. Syntax and
 * messages as `github.com/robfig/cron/v3` `ParseStandard`, which upstream uses, so that a schedule means here what it
 * means there. A zone inside the schedule (`TZ=…`) is refused as by the API: `spec.timeZone` has it.
 */

export type CronSchedule =
  | {
      readonly kind: "fields";
      readonly minutes: ReadonlySet<number>;
      readonly hours: ReadonlySet<number>;
      readonly days: ReadonlySet<number>;
      /** 1 is January. */
      readonly months: ReadonlySet<number>;
      /** 0 is Sunday. */
      readonly weekdays: ReadonlySet<number>;
      /** Both days and weekdays are restricted: then either is enough, as in every cron. */
      readonly eitherDay: boolean;
    }
  | { readonly kind: "every"; readonly seconds: number };

export type ParsedCron = { readonly kind: "ok"; readonly schedule: CronSchedule } | { readonly kind: "error"; readonly message: string };

/** Longer texts are no schedules; a limit so that nobody can make the parser work. */
const maxLength = 1024;

export function parseCron(text: string): ParsedCron {
  try {
    if (text.length > maxLength) throw new CronError(`schedule is longer than ${maxLength} characters`);
    return { kind: "ok", schedule: text.startsWith("@") ? descriptor(text) : fields(text) };
  } catch (error) {
    if (error instanceof CronError) return { kind: "error", message: error.message };
    throw error;
  }
}

class CronError extends Error {}

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const bounds: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] },
  { min: 0, max: 6, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

const descriptors: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

function descriptor(text: string): CronSchedule {
  const standing = Object.hasOwn(descriptors, text) ? descriptors[text] : undefined;
  if (standing !== undefined) return fields(standing);
  if (!text.startsWith("@every ")) throw new CronError(`unrecognized descriptor: ${text}`);
  return { kind: "every", seconds: Math.max(1, Math.floor(goDuration(text.slice("@every ".length)))) };
}

const units: Readonly<Record<string, number>> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 };

/** `1h30m` in seconds. */
function goDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  const whole = parts.map(([part]) => part).join("");
  const seconds = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (units[unit as string] as number), 0);
  if (parts.length === 0 || whole !== text.replace(/^\+/, "") || !Number.isFinite(seconds)) {
    throw new CronError(`failed to parse duration @every ${text}: time: invalid duration ${JSON.stringify(text)}`);
  }
  return seconds;
}

function fields(text: string): CronSchedule {
  const parts = text.trim().split(/\s+/);
  if (parts.length !== 5 || text.trim() === "") {
    const found = text.trim() === "" ? [] : parts;
    throw new CronError(`expected exactly 5 fields, found ${found.length}: [${found.join(" ")}]`);
  }
  const [minutes, hours, days, months, weekdays] = parts.map((part, index) => field(part, bounds[index] as Bounds)) as [
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
  ];
  const [dayText, weekdayText] = [parts[2] as string, parts[4] as string];
  return { kind: "fields", minutes, hours, days, months, weekdays, eitherDay: !hasStar(dayText) && !hasStar(weekdayText) };
}

/** `*` and `*\/1` restrict nothing; `*\/2` does, and yet counts as a star no more. */
const hasStar = (text: string): boolean => text.split(",").some((range) => /^[*?](\/1)?$/.test(range));

function field(text: string, limits: Bounds): Set<number> {
  const values = new Set<number>();
  for (const range of text.split(",").filter((part) => part !== "")) for (const value of expand(range, limits)) values.add(value);
  if (values.size === 0) throw new CronError(`failed to parse int from ${text}: empty field`);
  return values;
}

function expand(text: string, { min, max, names }: Bounds): number[] {
  const [range = "", stepText, ...moreSteps] = text.split("/");
  const [low = "", high, ...moreRanges] = range.split("-");
  if (moreRanges.length > 0) throw new CronError(`too many hyphens: ${text}`);
  if (moreSteps.length > 0) throw new CronError(`too many slashes: ${text}`);
  const star = low === "*" || low === "?";
  const start = star ? min : number(low, names, min);
  const step = stepText === undefined ? 1 : number(stepText);
  // `5/15` is `5-59/15`.
  const open = stepText !== undefined && high === undefined;
  const end = star || open ? max : high === undefined ? start : number(high, names, min);
  if (start < min) throw new CronError(`beginning of range (${start}) below minimum (${min}): ${text}`);
  if (end > max) throw new CronError(`end of range (${end}) above maximum (${max}): ${text}`);
  if (start > end) throw new CronError(`beginning of range (${start}) beyond end of range (${end}): ${text}`);
  if (step === 0) throw new CronError(`step of range should be a positive number: ${text}`);
  return Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, index) => start + index * step);
}

function number(text: string, names: readonly string[] = [], offset = 0): number {
  const name = names.indexOf(text.toLowerCase());
  if (name >= 0) return name + offset;
  if (!/^\d{1,9}$/.test(text))
    throw new CronError(`failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}
