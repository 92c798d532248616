/**
 * When a schedule falls due: the wall clock of a zone, minute by minute, with whole months, days and hours skipped
 * (`github.com/robfig/cron/v3` `SpecSchedule.Next`). An hour that daylight saving leaves out is not made up for; one that
 * comes twice counts twice.
 */
import type { CronSchedule } from "./parse.ts";

const minute = 60_000;
const hour = 60 * minute;

/** 30 February never comes; upstream gives up after five years as well. */
const horizonYears = 5;

/** The wall clock at an instant. */
export interface WallClock {
  readonly year: number;
  /** 1 is January. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

export type Zone = (ms: number) => WallClock;

/** An IANA zone; undefined when there is none of that name. */
export function zoneOf(name: string): Zone | undefined {
  if (name === "" || /^(local|[+-])/i.test(name)) return undefined;
  let format: Intl.DateTimeFormat;
  try {
    const numeric = "numeric";
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      hourCycle: "h23",
      year: numeric,
      month: numeric,
      day: numeric,
      hour: numeric,
      minute: numeric,
    });
  } catch {
    return undefined;
  }
  return (ms) => {
    const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 0, day = 0, hour: hours = 0, minute: minutes = 0 } = parts;
    return { year, month, day, hour: hours, minute: minutes, weekday: new Date(Date.UTC(year, month - 1, day)).getUTCDay() };
  };
}

export const utc: Zone = (ms) => {
  const date = new Date(ms);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    weekday: date.getUTCDay(),
  };
};

/** The first time after `after` (milliseconds since the epoch); undefined when there is none within five years. */
export function nextTime(schedule: CronSchedule, after: number, zone: Zone): number | undefined {
  if (schedule.kind === "every") return Math.floor(after / 1000) * 1000 + schedule.seconds * 1000;
  let at = Math.floor(after / minute) * minute + minute;
  const lastYear = zone(at).year + horizonYears;
  for (;;) {
    const clock = zone(at);
    if (clock.year > lastYear) return undefined;
    if (!schedule.months.has(clock.month)) at = startOf(zone, at, clock, "month");
    else if (!dayMatches(schedule, clock)) at = startOf(zone, at, clock, "day");
    else if (!schedule.hours.has(clock.hour)) at += hour - ((clock.minute * minute) % hour);
    else if (!schedule.minutes.has(clock.minute)) at += minute;
    else return at;
  }
}

type Fields = Extract<CronSchedule, { readonly kind: "fields" }>;

function dayMatches({ days, weekdays, eitherDay }: Fields, clock: WallClock): boolean {
  const [day, weekday] = [days.has(clock.day), weekdays.has(clock.weekday)];
  return eitherDay ? day || weekday : day && weekday;
}

/** The first minute of the next day or month on the wall, which need not be midnight where clocks are put forward then. */
function startOf(zone: Zone, at: number, clock: WallClock, unit: "day" | "month"): number {
  const wall = unit === "month" ? Date.UTC(clock.year, clock.month, 1) : Date.UTC(clock.year, clock.month - 1, clock.day + 1);
  let guess = wall - offset(zone, at);
  guess = wall - offset(zone, guess);
  while (wallTime(zone(guess)) < wall) guess += minute;
  return Math.max(guess, at + minute);
}

const wallTime = (clock: WallClock): number => Date.UTC(clock.year, clock.month - 1, clock.day, clock.hour, clock.minute);

const offset = (zone: Zone, at: number): number => wallTime(zone(at)) - at;
