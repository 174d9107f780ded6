// Runs stages over a source: in order, with back-pressure, batches and concurrent calls.
import { abortError, type Chunk, PipiloError, Queue } from '../base/index.ts'
import { Breakdown, errorAt, FailedRow } from './failedRow.ts'
import type { BatchOperator, OpenOperator, RowOperator } from './operator.ts'
import { MAX_CHUNK, Pace } from './pace.ts'
import { Run, type StageCount } from './run.ts'
import { SourceReader } from './source.ts'
import { type CallStage, DROP, type FlowStage, type Outlet, type Stage } from './stages.ts'
import type { RunOptions, Source } from './types.ts'

/** Calls at the same time of a function that returns promises, unless its operator says otherwise. */
const DEFAULT_CONCURRENCY = 8
const DEFAULT_BATCH = 16
const ABORTED = 'The pipeline was aborted.'

/** Opens operators, and closes them when their time has come. */
export interface Opener {
  open(operator: BatchOperator<unknown, unknown>): Promise<OpenOperator<unknown, unknown>>
  /** Closes the operators that were opened for this run alone. */
  end(): Promise<void>
}

/**
 * Runs rows through stages, all of them at the same time, and yields them in order, in chunks.
 *
 * Between two stages is a {@link Queue}; a stage takes no more rows at a time than the next one asks for. So at most
 * `2 × want` rows wait before each stage, whatever the length of the source, where `want` is the batch of an operator,
 * or for functions between 1 and {@link MAX_CHUNK}, according to how fast they are.
 *
 * Failures travel as rows of the class {@link FailedRow}, so that the rows before them arrive first.
 */
export async function* execute(
  source: Source<unknown>,
  stages: readonly Stage[],
  opener: Opener,
  options: RunOptions = {},
): AsyncGenerator<Chunk, void, undefined> {
  const { signal } = options
  if (signal?.aborted) throw abortError(signal, ABORTED)
  const run = new Run(
    stages.map((stage) => stage.name),
    options,
  )
  const queues = [...stages, undefined].map(() => new Queue(1))
  queues.slice(1).forEach((queue, i) => {
    queue.onStop = () => queues[i]!.stop()
  })
  const last = queues.at(-1)!
  let tasks: Promise<void>[] = []
  let freed: Promise<void> | undefined
  let failure: { error: unknown } | undefined
  /** Stops all stages. What they use is freed when the calls under way are through. */
  const stop = (): void => {
    last.stop()
    run.stop()
    if (freed) return
    freed = Promise.resolve().then(() => Promise.all(tasks).then(() => opener.end()))
    freed.catch(() => {})
  }
  const fail = (error: unknown): void => {
    failure ??= { error }
    stop()
  }
  const onAbort = (): void => fail(abortError(signal, ABORTED))
  signal?.addEventListener('abort', onAbort, { once: true })

  const reader = new SourceReader(source, queues[0]!, run)
  tasks = [
    reader.read(),
    ...stages.map((stage, i) => work(stage, queues[i]!, queues[i + 1]!, run, run.counts[i]!, opener)),
  ].map((task) => task.catch(fail))

  let end: 'left' | 'failed' | 'complete' = 'left'
  try {
    const pace = new Pace()
    for (;;) {
      const chunk = await last.take(MAX_CHUNK)
      if (failure) throw failure.error
      if (!chunk) break
      const broken = chunk.items.findIndex((item) => isFinal(item, run.onError))
      const count = broken < 0 ? chunk.items.length : broken
      const start = performance.now()
      run.done += count
      if (broken < 0) yield chunk
      else if (count > 0) yield { items: chunk.items.slice(0, count), rows: chunk.rows.slice(0, count) }
      pace.took(performance.now() - start, count)
      last.want = pace.limit
      if (broken >= 0) throw (chunk.items[broken] as FailedRow).error
    }
    if (!queues.some((queue) => queue.cutShort)) {
      await Promise.all(tasks)
      if (failure) throw (failure as { error: unknown }).error
      end = 'complete'
    }
  } catch (error) {
    end = 'failed'
    throw error
  } finally {
    signal?.removeEventListener('abort', onAbort)
    stop()
    // Whoever leaves early does not wait for the calls under way, only for the source to be closed.
    if (end === 'complete') await freed
    if (end === 'failed') await reader.closed?.catch(() => {})
    else await reader.closed
    run.report(true)
  }
}

function isFinal(item: unknown, onError: Run['onError']): boolean {
  return item instanceof FailedRow && (onError === 'throw' || item instanceof Breakdown)
}

async function work(
  stage: Stage,
  input: Queue,
  output: Queue,
  run: Run,
  count: StageCount,
  opener: Opener,
): Promise<void> {
  const out = new Outbox(output, run, count)
  if (stage.kind === 'flow') await flow(stage, input, output, out)
  else if ('each' in stage.operator) await callRows(stage, stage.operator, input, output, out, run)
  else await callBatches(stage, stage.operator, input, output, out, run, opener)
  input.stop()
  output.end()
}

/** Rows on their way out of a stage. */
class Outbox implements Outlet {
  items: unknown[] = []
  rows: number[] = []
  /** A row failed, and the run ends with it. */
  halted = false
  readonly queue: Queue
  readonly run: Run
  readonly count: StageCount

  constructor(queue: Queue, run: Run, count: StageCount) {
    this.queue = queue
    this.run = run
    this.count = count
  }

  get full(): boolean {
    return this.items.length >= Math.min(MAX_CHUNK, this.queue.want)
  }

  add(item: unknown, row: number): void {
    this.items.push(item)
    this.rows.push(row)
  }

  fail(error: unknown, item: unknown, row: number): void {
    this.count.errors++
    if (this.run.onError === 'skip') return
    const { name, label } = this.count
    this.add(new FailedRow(row, name, errorAt(`Row ${row} failed in ${label}`, error, row), item), row)
    this.halted = this.run.onError === 'throw'
  }

  async drain(): Promise<boolean> {
    const { items, rows } = this
    if (items.length > 0) {
      this.items = []
      this.rows = []
      await this.queue.room()
      this.count.out += items.length
      this.queue.put({ items, rows })
    }
    await this.run.breathe()
    return !this.halted && !this.queue.stopped
  }
}

/** Stages that remember rows: one row after the other. */
async function flow(stage: FlowStage, input: Queue, output: Queue, out: Outbox): Promise<void> {
  const flowing = stage.start()
  while (!flowing.done) {
    input.want = Math.min(MAX_CHUNK, output.want)
    const chunk = await input.take(input.want)
    if (!chunk) break
    for (let i = 0; i < chunk.items.length && !flowing.done && !out.halted; i++) {
      const item = chunk.items[i]
      const row = chunk.rows[i]!
      out.count.in++
      if (item instanceof FailedRow) out.add(item, row)
      else {
        try {
          const pushed = flowing.push(item, row, out)
          if (pushed) await pushed
        } catch (error) {
          out.fail(error, item, row)
        }
      }
      if (out.full && !(await out.drain())) return
    }
    if (!(await out.drain())) return
  }
  flowing.flush?.(out)
  await out.drain()
}

/** Functions of one row: chunk by chunk while they return values, several calls at a time once one returns a promise. */
async function callRows(
  stage: CallStage,
  { each, concurrency = DEFAULT_CONCURRENCY }: RowOperator<unknown, unknown>,
  input: Queue,
  output: Queue,
  out: Outbox,
  run: Run,
): Promise<void> {
  const { read, write } = stage
  const pace = new Pace()
  let promises = false
  while (!promises) {
    const chunk = await input.take(Math.min(pace.limit, output.want))
    if (!chunk) return
    const start = performance.now()
    const length = chunk.items.length
    for (let i = 0; i < length && !out.halted; i++) {
      const item = chunk.items[i]
      const row = chunk.rows[i]!
      out.count.in++
      if (item instanceof FailedRow) {
        out.add(item, row)
        continue
      }
      try {
        let result = each(read(item))
        if (isPromise(result)) {
          promises = true
          result = await result
        }
        const written = write(item, result)
        if (written !== DROP) out.add(written, row)
      } catch (error) {
        out.fail(error, item, row)
      }
    }
    pace.took(performance.now() - start, length)
    input.want = pace.limit
    if (!(await out.drain())) return
  }
  input.want = concurrency
  await inOrder(input, 1, concurrency, async (chunk) => {
    const made = new Outbox(output, run, out.count)
    const item = chunk.items[0]
    const row = chunk.rows[0]!
    out.count.in++
    if (item instanceof FailedRow) made.add(item, row)
    else {
      try {
        const written = write(item, await each(read(item)))
        if (written !== DROP) made.add(written, row)
      } catch (error) {
        made.fail(error, item, row)
      }
    }
    return made
  })
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}

/** Operators over batches. */
async function callBatches(
  stage: CallStage,
  operator: BatchOperator<unknown, unknown>,
  input: Queue,
  output: Queue,
  out: Outbox,
  run: Run,
  opener: Opener,
): Promise<void> {
  const { batch = DEFAULT_BATCH, concurrency = 1 } = operator
  input.want = batch
  let open: OpenOperator<unknown, unknown>
  try {
    open = await opener.open(operator)
  } catch (error) {
    const failed = error instanceof PipiloError ? error : errorAt(`${out.count.label} did not open`, error, 0)
    out.add(new Breakdown(0, stage.name, failed, undefined), 0)
    await out.drain()
    return
  }
  await inOrder(input, batch, concurrency, async (chunk) => {
    const made = new Outbox(output, run, out.count)
    out.count.in += chunk.items.length
    const live = chunk.items.filter((item) => !(item instanceof FailedRow))
    const results = live.length > 0 ? await runBatch(stage.name, open, live.map(stage.read), run.signal) : []
    let next = 0
    for (let i = 0; i < chunk.items.length && !made.halted; i++) {
      const item = chunk.items[i]
      const row = chunk.rows[i]!
      if (item instanceof FailedRow) {
        made.add(item, row)
        continue
      }
      try {
        const result = results[next++]
        if (result instanceof Error) throw result
        const written = stage.write(item, result)
        if (written !== DROP) made.add(written, row)
      } catch (error) {
        made.fail(error, item, row)
      }
    }
    return made
  })
}

/** Results and, as errors, failures: where the whole batch fails, of each value by itself. */
async function runBatch(
  name: string,
  open: OpenOperator<unknown, unknown>,
  values: readonly unknown[],
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  try {
    const results = await open.run(values, { signal })
    if (results?.length === values.length) return results
    const got = results?.length ?? typeof results
    throw new PipiloError('OPERATOR_FAILED', `${name} got ${values.length} values and returned ${got}.`, {
      hint: 'An operator returns one result a value.',
    })
  } catch (error) {
    if (values.length === 1 || signal.aborted) return values.map(() => asError(error))
    const results: unknown[] = []
    for (const value of values) results.push(...(await runBatch(name, open, [value], signal)))
    return results
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error), { cause: error })
}

/** Takes chunks of at most `limit` rows, works on `concurrency` of them at a time, and hands on the results in order. */
async function inOrder(
  input: Queue,
  limit: number,
  concurrency: number,
  perform: (chunk: Chunk) => Promise<Outbox>,
): Promise<void> {
  const underWay: Promise<Outbox>[] = []
  let ended = false
  let wakeStarter: (() => void) | undefined
  let wakeEmitter: (() => void) | undefined

  const emitter = (async () => {
    for (;;) {
      const first = underWay[0]
      if (first) {
        const going = await (await first).drain()
        underWay.shift()
        if (!going) input.stop()
        wakeStarter?.()
        if (!going) return
      } else if (ended) return
      else
        await new Promise<void>((resolve) => {
          wakeEmitter = resolve
        })
    }
  })()

  for (;;) {
    if (underWay.length >= concurrency && !input.stopped) {
      await new Promise<void>((resolve) => {
        wakeStarter = resolve
      })
      continue
    }
    const chunk = await input.take(limit)
    if (!chunk) break
    underWay.push(perform(chunk))
    wakeEmitter?.()
  }
  ended = true
  wakeEmitter?.()
  await emitter
}
