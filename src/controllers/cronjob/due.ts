/** Which run of a schedule is due (upstream `pkg/controller/cronjob/utils.go` `mostRecentScheduleTime`). Pure. */
import { nextTime, type Zone } from "../../api/cron/next.ts";
import type { CronSchedule } from "../../api/cron/parse.ts";

export interface Due {
  /** The last time of the schedule after `earliest` and not after `now`, in milliseconds; undefined when there is none. */
  readonly time: number | undefined;
  /** How many such times there were, counted no further than 101. */
  readonly missed: number;
}

const countNoFurther = 101;

export function lastDue(schedule: CronSchedule, earliest: number, now: number, zone: Zone): Due {
  if (schedule.kind === "every") return lastOfEvery(schedule.seconds * 1000, earliest, now);
  let missed = 0;
  for (let time = nextTime(schedule, earliest, zone); time !== undefined && time <= now; time = nextTime(schedule, time, zone)) {
    if (++missed === countNoFurther) return { time: lastBefore(schedule, earliest, now, zone), missed };
  }
  return { time: missed === 0 ? undefined : lastBefore(schedule, earliest, now, zone), missed };
}

function lastOfEvery(period: number, earliest: number, now: number): Due {
  const missed = Math.max(0, Math.floor((now - Math.floor(earliest / 1000) * 1000) / period));
  const time = missed === 0 ? undefined : Math.floor(earliest / 1000) * 1000 + missed * period;
  return { time, missed: Math.min(missed, countNoFurther) };
}

/** Looks back ever further, so that a minute's schedule after a year's pause costs as little as any. */
function lastBefore(schedule: CronSchedule, earliest: number, now: number, zone: Zone): number | undefined {
  for (let window = 3_600_000; ; window *= 8) {
    const from = Math.max(earliest, now - window);
    let last: number | undefined;
    for (let time = nextTime(schedule, from, zone); time !== undefined && time <= now; time = nextTime(schedule, time, zone)) last = time;
    if (last !== undefined || from === earliest) return last;
  }
}
