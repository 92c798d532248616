/** Gathers what became of requests and reports it now and then. */
import type { Clock, Timer } from "../../../lib/clock.ts";
import type { RequestRecord } from "../requests.ts";
import { RecordPacker, unrecorded, type PackedRecords } from "./packed-records.ts";
import type { RecordDetail } from "./protocol.ts";

const most = 4096;
const everyMs = 100;

export class RecordReporter {
  readonly #whole: boolean;
  readonly #clock: Clock;
  readonly #report: (packed: PackedRecords) => void;
  readonly #packer = new RecordPacker(most);
  #records: RequestRecord[] = [];
  #timer: Timer | undefined;

  constructor(detail: RecordDetail, clock: Clock, report: (packed: PackedRecords) => void) {
    this.#whole = detail === "whole";
    this.#clock = clock;
    this.#report = report;
  }

  add(record: RequestRecord): void {
    if (this.#whole) this.#records.push(plain(record));
    else this.#packer.add(record);
    if (this.#records.length === most || this.#packer.full) return this.flush();
    this.#timer ??= this.#clock.after(everyMs, () => this.flush());
  }

  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#packer.count > 0) this.#report(this.#packer.take());
    if (this.#records.length === 0) return;
    const records = this.#records;
    this.#records = [];
    this.#report({ kind: "whole", records });
  }
}

/** What can cross to another thread: routes by name, and of requests only that they could be read; what they asked is in the details. */
function plain({ request, route, ...rest }: RequestRecord): RequestRecord {
  const named = route === undefined ? undefined : ({ id: route.id, source: route.source } as RequestRecord["route"]);
  return { ...rest, route: named, request: request === undefined ? undefined : unrecorded };
}
