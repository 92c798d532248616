/**
 * Counters, gauges and histograms, written in Prometheus' text format 0.0.4.
 * Cost of an update: one `Map` lookup of the label values joined; with a bound child (`labels`) none.
 */

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  inc(by?: number): void;
}

export interface Gauge {
  set(value: number): void;
  inc(by?: number): void;
}

export interface Histogram {
  /** Takes the metric's own unit (seconds where the name ends in `_seconds`). */
  /** `times`: how often it was seen. Default once. */
  observe(value: number, times?: number): void;
}

/** A metric with label names; `labels` gives the child for one set of values, made on first use. */
export interface Family<T> {
  labels(...values: readonly string[]): T;
}

interface Series {
  write(name: string, labels: string, out: string[]): void;
}

interface FamilyState {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly labelNames: readonly string[];
  readonly children: Map<string, { values: readonly string[]; series: Series }>;
  /** Called at each scrape before writing, to read a value that nobody pushes. */
  readonly collect?: () => void;
}

/** Upstream's default buckets for durations in seconds (client_golang `DefBuckets`). */
export const defaultBuckets: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A set of metrics that one `/metrics` page shows. Asking twice for one name gives the same metric. */
export class MetricsRegistry {
  readonly #families = new Map<string, FamilyState>();

  counter(name: string, help: string, labelNames: readonly string[] = []): Family<Counter> {
    return this.#family(name, help, "counter", labelNames, () => new CounterSeries());
  }

  gauge(name: string, help: string, labelNames: readonly string[] = [], collect?: () => void): Family<Gauge> {
    return this.#family(name, help, "gauge", labelNames, () => new GaugeSeries(), collect);
  }

  histogram(
    name: string,
    help: string,
    labelNames: readonly string[] = [],
    buckets: readonly number[] = defaultBuckets,
  ): Family<Histogram> {
    return this.#family(name, help, "histogram", labelNames, () => new HistogramSeries(buckets));
  }

  /** The whole page. */
  text(): string {
    const out: string[] = [];
    for (const family of [...this.#families.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      family.collect?.();
      out.push(`# HELP ${family.name} ${family.help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}\n# TYPE ${family.name} ${family.type}\n`);
      for (const { values, series } of family.children.values()) series.write(family.name, labelText(family.labelNames, values), out);
    }
    return out.join("");
  }

  #family<T extends Series>(
    name: string,
    help: string,
    type: FamilyState["type"],
    labelNames: readonly string[],
    make: () => T,
    collect?: () => void,
  ): Family<T> {
    let state = this.#families.get(name);
    if (state === undefined) {
      state = { name, help, type, labelNames, children: new Map(), ...(collect === undefined ? {} : { collect }) };
      this.#families.set(name, state);
    } else if (state.type !== type || state.labelNames.join() !== labelNames.join()) {
      throw new Error(`metric ${name} is already a ${state.type} with labels [${state.labelNames.join()}]`);
    }
    const { children } = state;
    return {
      labels(...values) {
        if (values.length !== labelNames.length)
          throw new Error(`metric ${name} has labels [${labelNames.join()}], got ${values.length} values`);
        const key = values.join("\u0000");
        let child = children.get(key);
        if (child === undefined) children.set(key, (child = { values, series: make() }));
        return child.series as T;
      },
    };
  }
}

class CounterSeries implements Counter, Series {
  #value = 0;
  inc(by = 1): void {
    this.#value += by;
  }
  write(name: string, labels: string, out: string[]): void {
    out.push(`${name}${labels} ${this.#value}\n`);
  }
}

class GaugeSeries implements Gauge, Series {
  #value = 0;
  set(value: number): void {
    this.#value = value;
  }
  inc(by = 1): void {
    this.#value += by;
  }
  write(name: string, labels: string, out: string[]): void {
    out.push(`${name}${labels} ${this.#value}\n`);
  }
}

class HistogramSeries implements Histogram, Series {
  readonly #buckets: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(buckets: readonly number[]) {
    this.#buckets = buckets;
    this.#counts = buckets.map(() => 0);
  }

  observe(value: number, times = 1): void {
    this.#sum += value * times;
    this.#count += times;
    for (let i = 0; i < this.#buckets.length; i++) {
      if (value <= (this.#buckets[i] as number)) {
        this.#counts[i] = (this.#counts[i] as number) + times;
        return;
      }
    }
  }

  write(name: string, labels: string, out: string[]): void {
    let total = 0;
    const bucketLabels = (le: string) => (labels === "" ? `{le="${le}"}` : `${labels.slice(0, -1)},le="${le}"}`);
    this.#buckets.forEach((bound, i) => {
      total += this.#counts[i] as number;
      out.push(`${name}_bucket${bucketLabels(String(bound))} ${total}\n`);
    });
    out.push(
      `${name}_bucket${bucketLabels("+Inf")} ${this.#count}\n${name}_sum${labels} ${this.#sum}\n${name}_count${labels} ${this.#count}\n`,
    );
  }
}

function labelText(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return "";
  const escape = (text: string) => text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
  return `{${names.map((name, i) => `${name}="${escape(values[i] ?? "")}"`).join(",")}}`;
}
