/** The trainer: runs the steps of an objective over the epochs, and keeps what a killed run needs. */
import { availableParallelism } from 'node:os'
import { abortError, PipiloError, throwIfAborted } from '../base/index.ts'
import { type Initializer, loadTensor, parametersOf } from '../graph/index.ts'
import { MASK_COUNTER } from '../nn/index.ts'
import { compileStateful, type StatefulSession } from '../runtime/index.ts'
import type { Tensor } from '../tensor/index.ts'
import { type BatchSource, DEFAULT_EPOCHS, openBatches } from './batches.ts'
import { changesOf, checkColumns, checkOptions, checkWatched } from './checkOptions.ts'
import { checkSameRun, latestCheckpoint, type RunState, writeCheckpoint } from './checkpoint.ts'
import { collate } from './collate.ts'
import { type Evaluation, openEvaluation } from './evaluation.ts'
import { checkKept, namesNotFinite, notFinite } from './finite.ts'
import type { EarlyStopping, EpochEvent, TrainEvent, TrainOptions, TrainResult } from './options.ts'
import { RunFolder } from './runFolder.ts'
import { identityOf, type RunIdentity } from './runIdentity.ts'
import { type TrainingStep, trainingStep } from './step.ts'

/** See `train` in onDemand.ts. */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const run = await Run.open(options)
  try {
    return await run.finish()
  } finally {
    await run.close()
  }
}

/** Sums of an epoch's numbers. */
interface Sums {
  count: number
  readonly numbers: Record<string, number>
}

/** Numbers that are no mean over an epoch but the newest. */
const NEWEST = new Set(['learning_rate', 'teacher.decay', 'ema.decay'])

/** Before the names of averaged weights. */
const AVERAGE = 'ema.'

/** Rate over about so many seconds. */
const RATE_SECONDS = 5

/** Epochs that are shorter write no checkpoint each: a disk that is busy may take longer to sync it than the epoch took. */
const SECONDS_BETWEEN_WRITING = 1

/** The best weights so far, by the number that early stopping watches. */
interface Best {
  readonly epoch: number
  readonly value: number
  readonly weights: ReadonlyMap<string, Tensor>
}

/** The part of a checkpoint beside tensors and counts. */
interface Carried {
  readonly history: readonly EpochEvent[]
  readonly sums: Sums
  readonly best?: Pick<Best, 'epoch' | 'value'>
}

class Run {
  readonly #options: TrainOptions
  readonly #source: BatchSource
  readonly #step: TrainingStep
  readonly #session: StatefulSession
  readonly #evaluation: Evaluation | undefined
  readonly #folder: RunFolder | undefined
  readonly #epochs: number
  /** Identity of the run, for its checkpoints. */
  readonly #identity: RunIdentity
  /** True once the folder has a log of this run. */
  #isBegun = false
  #best: Best | undefined
  #state: RunState = { step: 0, epoch: 0, stepOfEpoch: 0, carried: {} }
  #history: EpochEvent[] = []
  /** When curves and checkpoint were last written at an epoch's end. */
  #written = Number.NEGATIVE_INFINITY
  #sums: Sums = { count: 0, numbers: {} }
  #rate: { since: number; steps: number; perSecond: number } = { since: 0, steps: 0, perSecond: 0 }

  private constructor(parts: {
    options: TrainOptions
    source: BatchSource
    step: TrainingStep
    session: StatefulSession
    evaluation: Evaluation | undefined
    folder: RunFolder | undefined
    identity: RunIdentity
  }) {
    this.#options = parts.options
    this.#source = parts.source
    this.#step = parts.step
    this.#session = parts.session
    this.#evaluation = parts.evaluation
    this.#folder = parts.folder
    this.#identity = parts.identity
    this.#epochs = parts.options.epochs ?? DEFAULT_EPOCHS
  }

  static async open(options: TrainOptions): Promise<Run> {
    checkOptions(options)
    const { network, objective, epochs = DEFAULT_EPOCHS, seed = 0, signal } = options
    if (signal?.aborted) throw abortError(signal, ABORTED)
    const source = await openBatches(options)
    let session: StatefulSession | undefined
    let folder: RunFolder | undefined
    try {
      const steps = changesOf(source.steps * epochs, options)
      const schedule = typeof options.schedule === 'function' ? options.schedule(steps) : options.schedule
      const step = trainingStep(network, objective, {
        batch: source.batch,
        seed,
        classes: source.classes,
        steps,
        ...(options.freeze && { freeze: options.freeze }),
        ...(options.recompute && { recompute: options.recompute }),
        optimize: {
          optimizer: options.optimizer ?? { kind: 'adamw' },
          ...(schedule && { schedule }),
          ...(options.clip !== undefined && { clip: options.clip }),
          ...(options.groups && { groups: options.groups }),
          ...(options.accumulate !== undefined && { accumulate: options.accumulate }),
          ...(options.average && { average: { ...options.average, prefix: AVERAGE } }),
        },
      })
      checkColumns(options, step)
      checkWatched(options, step)
      if (options.out !== undefined) folder = await RunFolder.open(options.out, options.resume ?? false)
      const identity = await identityOf(options, step.graph, schedule, {
        data: await source.hash(),
        rows: source.rows,
        batch: source.batch,
        steps: source.steps * epochs,
      })
      session = await compileStateful(step.graph, {
        state: step.state,
        threads: options.threads ?? availableParallelism(),
        ...(options.device && { device: options.device }),
      })
      const evaluation = source.hasValidation ? openEvaluation(network, objective, source, seed) : undefined
      const run = new Run({ options, source, step, session, evaluation, folder, identity })
      await run.#begin()
      return run
    } catch (error) {
      await Promise.all([session?.dispose(), source.close(), folder?.close()])
      throw error
    }
  }

  async finish(): Promise<TrainResult> {
    const stoppedEarly = await this.#allEpochs()
    const weights = this.#best?.weights ?? (await this.#weights())
    const epoch = this.#best?.epoch ?? this.#state.epoch
    const result = this.#history.find((event) => event.epoch === epoch)?.numbers ?? {}
    await this.#folder?.writeModel(this.#options.network, weights, this.#identity, { epoch, ...result })
    return {
      weights,
      history: this.#history,
      steps: this.#state.step,
      stoppedEarly,
      epoch,
      ...(this.#folder && { folder: this.#folder.path }),
    }
  }

  /** Until the last epoch, or until early stopping: then `true`. A run that is stopped from outside leaves a checkpoint. */
  async #allEpochs(): Promise<boolean> {
    const { signal } = this.#options
    try {
      while (this.#state.epoch < this.#epochs && !this.#isStuck()) {
        await this.#epoch()
        throwIfAborted(signal)
      }
      return this.#isStuck()
    } catch (error) {
      if (!signal?.aborted || !(error instanceof PipiloError) || error.code !== 'ABORTED') throw error
      await this.#save()
      throw abortError(signal, ABORTED)
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#session.dispose(), this.#source.close()])
    await this.#folder?.close()
  }

  /** Sets the state: the beginning's, or a checkpoint's. */
  async #begin(): Promise<void> {
    const { seed = 0, resume, out } = this.#options
    if (MASK_COUNTER in this.#step.state) {
      const data = BigInt64Array.of(BigInt(seed), 0n)
      await this.#session.write({ [MASK_COUNTER]: { dtype: 'int64', shape: [2], data } })
    }
    const checkpoint = resume && out !== undefined ? await latestCheckpoint(out) : undefined
    if (!checkpoint) return
    const shapes = new Map(
      this.#session.state.map(({ name, type }) => [
        name,
        type?.kind === 'tensor' ? (type.shape ?? []).map(Number) : [],
      ]),
    )
    checkSameRun(checkpoint, this.#identity, shapes)
    await this.#session.write(checkpoint.tensors)
    this.#state = checkpoint.state
    const { history, sums, best } = checkpoint.state.carried as unknown as Carried
    this.#history = [...history]
    this.#sums = { count: sums.count, numbers: { ...sums.numbers } }
    if (best) this.#best = { ...best, weights: checkpoint.best }
    this.#isBegun = true
    await this.#folder?.goOn(this.#state)
    this.#tell({ kind: 'resumed', step: this.#state.step, path: checkpoint.path })
  }

  async #epoch(): Promise<void> {
    const { checkpoint } = this.#options
    const { epoch, stepOfEpoch } = this.#state
    this.#rate = { since: performance.now(), steps: 0, perSecond: this.#rate.perSecond }
    const start = performance.now()
    const first = stepOfEpoch
    let [asked, waited] = [start, 0]
    for await (const batch of this.#source.epoch(epoch, stepOfEpoch)) {
      const feeds = collate(this.#step.feeds, batch, {
        network: this.#options.network,
        seed: this.#options.seed ?? 0,
        step: this.#state.step,
        classes: this.#source.classes,
        nameOf: (index) => this.#source.nameOf(index),
      })
      throwIfAborted(this.#options.signal)
      waited += performance.now() - asked
      await this.#advance(feeds)
      await this.#ownMetrics('step', this.#state.epoch)
      if (checkpoint && this.#state.step % checkpoint === 0) await this.#save()
      asked = performance.now()
    }
    waited += performance.now() - asked
    const took = performance.now() - start
    await this.#endEpoch({
      samplesPerSecond: ((this.#source.steps - first) * this.#source.batch * 1000) / took,
      waiting: waited / took,
    })
    const { network, snapshots } = this.#options
    if (snapshots && this.#state.epoch % snapshots === 0)
      await this.#folder?.writeSnapshot(network, await this.#weights(), this.#state.epoch)
    const isOver = this.#state.epoch >= this.#epochs || this.#isStuck()
    if (!isOver && performance.now() - this.#written < 1000 * SECONDS_BETWEEN_WRITING) return
    await this.#folder?.drawCurves(this.#history)
    if (checkpoint === undefined) await this.#save()
    this.#written = performance.now()
  }

  async #advance(feeds: Record<string, Tensor>): Promise<void> {
    const { logEvery = 10 } = this.#options
    // The session may take the arrays away; a step that is not finite is looked at again.
    const kept = Object.fromEntries(
      Object.entries(feeds).map(([name, tensor]) => [
        name,
        { ...tensor, data: tensor.data.slice() } as Tensor,
      ]),
    )
    const { metrics, check } = this.#step
    const { [check]: sum, ...results } = await this.#session.step({ feeds, fetch: [...metrics, check] })
    const numbers = Object.fromEntries(
      Object.entries(results).map(([name, { data }]) => [name, Number(data[0])] as const),
    )
    const wrong = [
      ...namesNotFinite(results),
      ...(namesNotFinite({ sum: sum! }).length > 0 ? await this.#wrongState() : []),
    ]
    if (wrong.length > 0) {
      await this.#session.undo()
      const given = { fed: kept, kept: await this.#session.read() }
      throw await notFinite(this.#step.graph, given, wrong, this.#state.step)
    }
    if (!this.#isBegun) await this.#folder?.begin(this.#identity)
    this.#isBegun = true
    const { step, stepOfEpoch } = this.#state
    this.#state = { ...this.#state, step: step + 1, stepOfEpoch: stepOfEpoch + 1 }
    this.#add(numbers)
    this.#measureRate()
    const event = this.#stepEvent(numbers)
    if ((step + 1) % logEvery === 0) await this.#folder?.log(event)
    this.#tell(event)
  }

  /** Outputs whose tensors, which the step has kept, hold a number that is not finite. */
  async #wrongState(): Promise<string[]> {
    return namesNotFinite(await this.#session.read()).map((name) => this.#step.state[name] ?? name)
  }

  #add(numbers: Readonly<Record<string, number>>): void {
    this.#sums.count++
    for (const [name, value] of Object.entries(numbers)) {
      this.#sums.numbers[name] = NEWEST.has(name) ? value : (this.#sums.numbers[name] ?? 0) + value
    }
  }

  #measureRate(): void {
    const now = performance.now()
    const seconds = (now - this.#rate.since) / 1000
    const steps = this.#rate.steps + 1
    const perSecond = steps / seconds
    // A fresh window now and then, so that the rate follows the machine.
    this.#rate =
      seconds > RATE_SECONDS ? { since: now, steps: 0, perSecond } : { ...this.#rate, steps, perSecond }
  }

  #stepEvent(numbers: Readonly<Record<string, number>>): Extract<TrainEvent, { kind: 'step' }> {
    const steps = this.#source.steps * this.#epochs
    const { perSecond } = this.#rate
    return {
      kind: 'step',
      step: this.#state.step,
      steps,
      epoch: this.#state.epoch + 1,
      epochs: this.#epochs,
      numbers,
      samplesPerSecond: perSecond * this.#source.batch,
      secondsLeft: perSecond > 0 ? (steps - this.#state.step) / perSecond : Number.POSITIVE_INFINITY,
    }
  }

  async #endEpoch(speed: Pick<EpochEvent, 'samplesPerSecond' | 'waiting'>): Promise<void> {
    const { count, numbers } = this.#sums
    const means = Object.fromEntries(
      Object.entries(numbers).map(([name, sum]) => [name, NEWEST.has(name) ? sum : sum / Math.max(1, count)]),
    )
    const epoch = this.#state.epoch + 1
    const { earlyStopping } = this.#options
    const weights = this.#evaluation || earlyStopping ? await this.#weights() : undefined
    const validated = this.#evaluation && weights ? await this.#evaluation.run(weights) : {}
    const own = await this.#ownMetrics('epoch', epoch)
    const event: EpochEvent = {
      kind: 'epoch',
      epoch,
      epochs: this.#epochs,
      step: this.#state.step,
      numbers: { ...means, ...validated, ...own },
      ...speed,
    }
    // All at once: what a checkpoint holds is either before the epoch's end or behind it.
    this.#keepBest(event, weights)
    this.#state = { ...this.#state, epoch, stepOfEpoch: 0 }
    this.#sums = { count: 0, numbers: {} }
    this.#history.push(event)
    await this.#folder?.log(event)
    this.#tell(event)
  }

  #keepBest(event: EpochEvent, weights: ReadonlyMap<string, Tensor> | undefined): void {
    const { earlyStopping } = this.#options
    if (!earlyStopping || !weights) return
    const value = numberOf(event, earlyStopping)
    if (this.#best && !isBetter(value, this.#best.value, earlyStopping)) return
    this.#best = { epoch: event.epoch, value, weights }
  }

  /** The caller's own numbers, when their time has come. `epoch`: those that are over. */
  async #ownMetrics(at: 'step' | 'epoch', epoch: number): Promise<Readonly<Record<string, number>>> {
    const { metrics } = this.#options
    if (!metrics) return {}
    const { step } = this.#state
    const isTime = metrics.every === undefined ? at === 'epoch' : at === 'step' && step % metrics.every === 0
    if (!isTime) return {}
    const numbers = checkedMetrics(await metrics.compute({ step, epoch, weights: () => this.#weights() }))
    if (at === 'step') await this.#folder?.log({ kind: 'metrics', step, numbers })
    return numbers
  }

  /** True when early stopping has waited long enough. */
  #isStuck(): boolean {
    const { earlyStopping } = this.#options
    if (!earlyStopping || !this.#best) return false
    return this.#state.epoch - this.#best.epoch >= earlyStopping.patience
  }

  async #save(): Promise<void> {
    if (!this.#folder || this.#options.checkpoint === 0) return
    const carried: Carried = {
      history: this.#history,
      sums: this.#sums,
      ...(this.#best && { best: { epoch: this.#best.epoch, value: this.#best.value } }),
    }
    const tensors = await this.#session.read()
    checkKept(tensors, this.#state.step)
    const path = await writeCheckpoint(this.#folder.path, {
      state: { ...this.#state, carried: { ...carried } },
      run: this.#identity,
      tensors,
      best: this.#best?.weights ?? new Map(),
    })
    this.#tell({ kind: 'checkpoint', step: this.#state.step, path })
  }

  /** Weights and buffers of the network and of the objective's own parts, as they are now, or their averages where those are kept. */
  async #weights(): Promise<ReadonlyMap<string, Tensor>> {
    const names = new Set(parametersOf(this.#step.forward).map(({ name }) => name))
    const kept = new Set(this.#session.state.map(({ name }) => name))
    const read = new Map(
      [...names].flatMap((name): [string, string][] => {
        if (kept.has(AVERAGE + name)) return [[name, AVERAGE + name]]
        return kept.has(name) ? [[name, name]] : []
      }),
    )
    const tensors = await this.#session.read([...read.values()])
    const entries = await Promise.all(
      [...names].map(async (name) => {
        const initializer: Initializer | undefined = this.#step.forward.initializers.get(name)
        return [name, tensors[read.get(name) ?? ''] ?? (await loadTensor(initializer!))] as const
      }),
    )
    return new Map(entries)
  }

  #tell(event: TrainEvent): void {
    this.#options.onProgress?.(event)
  }
}

const ABORTED = 'Training was stopped.'

function numberOf({ numbers, epoch }: EpochEvent, { metric = 'validation_loss' }: EarlyStopping): number {
  const value = numbers[metric]
  if (Number.isNaN(value)) {
    // Nothing is better than it, nor worse.
    throw new PipiloError(
      'RESULT_INVALID',
      `Early stopping watches ${metric}, which is NaN after epoch ${epoch}.`,
      {
        input: 'earlyStopping',
      },
    )
  }
  if (value !== undefined) return value
  throw new PipiloError(
    'OPTION_INVALID',
    `Early stopping watches ${metric}, which epoch ${epoch} does not end with.`,
    {
      input: 'earlyStopping',
      hint: `It ends with ${Object.keys(numbers).join(', ')}.`,
    },
  )
}

function isBetter(value: number, best: number, { metric = 'validation_loss', mode }: EarlyStopping): boolean {
  const isLow = (mode ?? (metric.endsWith('loss') ? 'min' : 'max')) === 'min'
  return isLow ? value < best : value > best
}

/** Names that a line of the log has for itself. */
const LOGGED = ['kind', 'step', 'epoch', 'epochs']

/** @throws `OPTION_INVALID` for values that are no numbers, which neither log nor curve could show, and for names of the log's own */
function checkedMetrics(given: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const wrong = (what: string) =>
    new PipiloError('OPTION_INVALID', `metrics.compute gave ${what}.`, {
      input: 'metrics',
      hint: 'Return numbers by their names: { accuracy: 0.9 }.',
    })
  if (typeof given !== 'object' || given === null) throw wrong(`${given}`)
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== 'number') throw wrong(`${JSON.stringify(value) ?? value} for ${name}`)
    if (LOGGED.includes(name)) throw wrong(`a number called ${name}, which the log has for itself`)
  }
  return given
}
