import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextTime, utc, zoneOf, type Zone } from "./next.ts";
import { parseCron, type CronSchedule } from "./parse.ts";

function schedule(text: string): CronSchedule {
  const parsed = parseCron(text);
  if (parsed.kind === "error") throw new Error(parsed.message);
  return parsed.schedule;
}

const at = (time: string): number => Date.parse(time);

function next(text: string, after: string, zone: Zone = utc): string | undefined {
  const found = nextTime(schedule(text), at(after), zone);
  return found === undefined ? undefined : new Date(found).toISOString().replace(".000", "");
}

describe("falls due", () => {
  test.each([
    ["* * * * *", "2026-01-01T00:00:30Z", "2026-01-01T00:01:00Z"],
    ["*/15 * * * *", "2026-01-01T00:45:00Z", "2026-01-01T01:00:00Z"],
    ["5/20 * * * *", "2026-01-01T00:26:00Z", "2026-01-01T00:45:00Z"],
    ["0 9-17/4 * * *", "2026-01-01T13:00:00Z", "2026-01-01T17:00:00Z"],
    ["30 4 * * mon-FRI", "2026-01-02T04:30:00Z", "2026-01-05T04:30:00Z"],
    ["0 0 1 Jan ?", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"],
    // Either the 13th or a Friday.
    ["0 0 13 * 5", "2026-01-10T00:00:00Z", "2026-01-13T00:00:00Z"],
    ["0 0 13 * 5", "2026-01-13T00:00:00Z", "2026-01-16T00:00:00Z"],
    // An odd day that is a Friday: a step of one restricts nothing.
    ["0 0 */1 * 5", "2026-01-10T00:00:00Z", "2026-01-16T00:00:00Z"],
    ["0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"],
    ["0 0 30 2 *", "2026-01-01T00:00:00Z", undefined],
    ["@weekly", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"],
    ["@every 1h30m", "2026-01-01T00:00:00Z", "2026-01-01T01:30:00Z"],
  ])("%s after %s", (text, after, wanted) => {
    expect(next(text, after)).toBe(wanted);
  });

  test.each([
    ["0 12 * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", "2026-01-01T06:30:00Z"],
    // Clocks go from 02:00 to 03:00 on 29 March: half past two is not made up for.
    ["30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"],
    // They go from 03:00 back to 02:00 on 25 October: half past two comes twice.
    ["30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"],
    ["0 0 * * *", "America/New_York", "2026-07-01T00:00:00Z", "2026-07-01T04:00:00Z"],
    // Midnight is left out there on 6 September.
    ["15 1 * * *", "America/Santiago", "2026-09-05T12:00:00Z", "2026-09-06T04:15:00Z"],
  ])("%s in %s", (text, zone, after, wanted) => {
    expect(next(text, after, zoneOf(zone))).toBe(wanted);
  });
});

test.each(["Local", "", "Mars/Phobos", "+01:00"])("%s is no zone", (name) => expect(zoneOf(name)).toBeUndefined());

describe("refuses", () => {
  test.each([
    ["* * * *", "expected exactly 5 fields, found 4: [* * * *]"],
    ["", "expected exactly 5 fields, found 0: []"],
    ["60 * * * *", "end of range (60) above maximum (59): 60"],
    ["* * 0 * *", "beginning of range (0) below minimum (1): 0"],
    ["* 5-3 * * *", "beginning of range (5) beyond end of range (3): 5-3"],
    ["*/0 * * * *", "step of range should be a positive number: */0"],
    ["1-2-3 * * * *", "too many hyphens: 1-2-3"],
    ["1/2/3 * * * *", "too many slashes: 1/2/3"],
    ["x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'],
    ["* * * * 7", "end of range (7) above maximum (6): 7"],
    ["@reboot", "unrecognized descriptor: @reboot"],
    ["@every soon", 'failed to parse duration @every soon: time: invalid duration "soon"'],
  ])("%s", (text, message) => {
    expect(parseCron(text)).toEqual({ kind: "error", message });
  });
});

describe("properties", () => {
  const range = (min: number, max: number) =>
    fc
      .tuple(fc.integer({ min, max }), fc.integer({ min, max }), fc.option(fc.integer({ min: 1, max: max - min + 1 })))
      .map(([a, b, step]) => `${Math.min(a, b)}-${Math.max(a, b)}${step === null ? "" : `/${step}`}`);
  const field = (min: number, max: number) =>
    fc.oneof(
      fc.constant("*"),
      fc
        .array(fc.oneof(range(min, max), fc.integer({ min, max }).map(String)), { minLength: 1, maxLength: 4 })
        .map((list) => list.join(",")),
    );
  const text = fc.tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6)).map((fields) => fields.join(" "));
  const instant = fc.integer({ min: at("2020-01-01T00:00:00Z"), max: at("2040-01-01T00:00:00Z") });

  /** Cron by its definition: minute after minute until one matches. */
  function slow(found: CronSchedule, after: number): number | undefined {
    if (found.kind !== "fields") throw new Error("not this one");
    const start = Math.floor(after / 60_000) + 1;
    for (let step = start; step < start + 3 * 24 * 60; step++) {
      const { month, day, hour, minute, weekday } = utc(step * 60_000);
      const [d, w] = [found.days.has(day), found.weekdays.has(weekday)];
      const due = found.months.has(month) && (found.eitherDay ? d || w : d && w) && found.hours.has(hour) && found.minutes.has(minute);
      if (due) return step * 60_000;
    }
    return undefined;
  }

  test("the next time is the first minute that matches", () => {
    fc.assert(
      fc.property(text, instant, (line, after) => {
        const [quick, plain] = [nextTime(schedule(line), after, utc), slow(schedule(line), after)];
        if (plain !== undefined) expect(quick).toBe(plain);
        else if (quick !== undefined) expect(quick).toBeGreaterThan(after + 3 * 86_400_000 - 60_000);
      }),
      { numRuns: 300 },
    );
  });

  test("in every zone the wall clock shows what was asked for", () => {
    const zone = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia");
    fc.assert(
      fc.property(text, instant, zone, (line, after, name) => {
        const [found, clock] = [schedule(line), zoneOf(name) as Zone];
        const time = nextTime(found, after, clock);
        if (time === undefined || found.kind !== "fields") return;
        expect(time).toBeGreaterThan(after);
        expect([...found.minutes]).toContain(clock(time).minute);
        expect([...found.hours]).toContain(clock(time).hour);
        expect([...found.months]).toContain(clock(time).month);
      }),
      { numRuns: 100 },
    );
  });

  test("any text is a schedule or an error, never an exception", () => {
    const noise = fc.oneof(
      fc.string(),
      fc
        .array(fc.constantFrom("*", "/", "-", ",", " ", "1", "99", "mon", "@every ", "h", "?"), { maxLength: 40 })
        .map((parts) => parts.join("")),
    );
    fc.assert(fc.property(noise, (line) => ["ok", "error"].includes(parseCron(line).kind)));
  });
});
