// Metrics in Prometheus' text format.

/** Upper bounds of the buckets of latencies, in seconds. */
const LATENCIES = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]

/** Stages of a request. */
export type Stage = 'read' | 'queue' | 'model' | 'write' | 'total'

class Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  #sum = 0
  #count = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = bounds.map(() => 0)
  }

  add(value: number): void {
    this.#sum += value
    this.#count++
    for (let i = this.#bounds.length - 1; i >= 0 && value <= this.#bounds[i]!; i--) this.#counts[i]!++
  }

  lines(name: string, labels: string): string[] {
    const inner = labels === '' ? '' : `${labels},`
    const outer = labels === '' ? '' : `{${labels}}`
    return [
      ...this.#bounds.map((bound, i) => `${name}_bucket{${inner}le="${bound}"} ${this.#counts[i]}`),
      `${name}_bucket{${inner}le="+Inf"} ${this.#count}`,
      `${name}_sum${outer} ${this.#sum}`,
      `${name}_count${outer} ${this.#count}`,
    ]
  }
}

/** A number that is asked for when metrics are read. */
interface Gauge {
  readonly name: string
  readonly help: string
  readonly kind: 'gauge' | 'counter'
  readonly read: () => number
}

/** Counts what a server does. @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
export class Metrics {
  readonly #requests = new Map<string, number>()
  readonly #stages = new Map<Stage, Histogram>()
  readonly #sizes = new Histogram(SIZES)
  readonly #gauges: Gauge[] = []
  #inputs = 0
  #tokens = 0

  /** A request was answered. @param route its path as it is declared: what clients write would make series without end */
  answered(route: string, status: number, milliseconds: number): void {
    const key = `route="${route.replaceAll(/["\\\n]/g, '_')}",status="${status}"`
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1)
    this.stage('total', milliseconds)
  }

  stage(stage: Stage, milliseconds: number): void {
    const histogram = this.#stages.get(stage) ?? new Histogram(LATENCIES)
    this.#stages.set(stage, histogram)
    histogram.add(milliseconds / 1000)
  }

  /** A call of an embedder ended. */
  embedded(inputs: number, tokens: number): void {
    this.#inputs += inputs
    this.#tokens += tokens
    this.#sizes.add(inputs)
  }

  gauge(name: string, help: string, read: () => number, kind: Gauge['kind'] = 'gauge'): void {
    this.#gauges.push({ name, help, kind, read })
  }

  text(): string {
    const head = (name: string, kind: string, help: string) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${kind}`,
    ]
    const own: Gauge[] = [
      {
        name: 'pipilo_inputs_total',
        help: 'Texts and pictures that were embedded.',
        kind: 'counter',
        read: () => this.#inputs,
      },
      {
        name: 'pipilo_tokens_total',
        help: 'Tokens that models read.',
        kind: 'counter',
        read: () => this.#tokens,
      },
    ]
    const lines = [
      ...head('pipilo_requests_total', 'counter', 'Requests that were answered, by route and status.'),
      ...[...this.#requests].map(([labels, count]) => `pipilo_requests_total{${labels}} ${count}`),
      ...head('pipilo_seconds', 'histogram', 'Seconds of requests by stage.'),
      ...[...this.#stages].flatMap(([stage, histogram]) =>
        histogram.lines('pipilo_seconds', `stage="${stage}"`),
      ),
      ...head('pipilo_call_inputs', 'histogram', 'Inputs of one call of an embedder.'),
      ...this.#sizes.lines('pipilo_call_inputs', ''),
      ...[...own, ...this.#gauges].flatMap(({ name, help, kind, read }) => [
        ...head(name, kind, help),
        `${name} ${read()}`,
      ]),
    ]
    return `${lines.join('\n')}\n`
  }
}
