/** The folder of a run: how it was made, its log, its curves, its checkpoints, and the model at its root. */
import { existsSync, readFileSync } from 'node:fs'
import { appendFile, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError, makeFolder, takeLock, writeFileAtomic } from '../base/files/index.ts'
import { PipiloError } from '../base/index.ts'
import { parametersOf } from '../graph/index.ts'
import { libraryVersion } from '../runtime/index.ts'
import type { Tensor } from '../tensor/index.ts'
import { checkpointFiles, type RunState } from './checkpoint.ts'
import type { Network } from './objective.ts'
import type { EpochEvent, TrainEvent } from './options.ts'
import { curvesPage } from './report/curves.ts'
import type { RunIdentity } from './runIdentity.ts'
import { snapshotName } from './snapshots.ts'

/** A line of the log. */
type LogLine =
  | Extract<TrainEvent, { kind: 'step' | 'epoch' }>
  | { readonly kind: 'metrics'; readonly step: number; readonly numbers: Readonly<Record<string, number>> }

/** The same place from the sources and from what is built of them. */
const packageVersion = (): string => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** Files that are a model at a folder's root. */
const MODEL_FILES = ['model.safetensors', 'model.onnx', 'pytorch_model.bin', 'model.json']

/** Milliseconds in which a folder's last holder, if it was just killed, is seen to be dead. */
const PATIENCE = 2000

/** A run's folder, opened for writing: by one run at a time. */
export class RunFolder {
  readonly path: string
  readonly #isResumed: boolean
  #release: (() => Promise<void>) | undefined

  private constructor(path: string, isResumed: boolean) {
    this.path = path
    this.#isResumed = isResumed
  }

  /**
   * Nothing is written before {@link begin}, unless a run is to be gone on with.
   *
   * @throws `OPTION_INVALID` where a run has begun and is not to be gone on with, where a model lies, or where the path is a file; `BUSY`, `WRITE_FAILED`
   */
  static async open(path: string, resume: boolean): Promise<RunFolder> {
    const folder = new RunFolder(path, resume)
    const found = await stat(path).catch(() => undefined)
    if (found && !found.isDirectory()) {
      throw new PipiloError('OPTION_INVALID', `${path} is a file; a run is written to a folder.`, {
        input: path,
      })
    }
    // Its checkpoints are read next, and may not change meanwhile.
    if (found && resume) await folder.#take()
    else await folder.#refuseAnother()
    return folder
  }

  /** Lets others train into it. */
  async close(): Promise<void> {
    await this.#release?.()
  }

  async #take(): Promise<void> {
    const lock = this.#in('.lock')
    this.#release ??= await takeLock(lock, AbortSignal.timeout(PATIENCE)).catch((error: unknown) => {
      if (!(error instanceof PipiloError) || error.code !== 'ABORTED') throw error
      throw new PipiloError('BUSY', `Another run is training into ${this.path}.`, {
        input: this.path,
        hint: 'Name another folder, or wait for it. On another machine or in another container, a killed run is let go after 30 seconds.',
      })
    })
  }

  async #refuseAnother(): Promise<void> {
    const refuse = (what: string, hint: string) =>
      new PipiloError('OPTION_INVALID', `${this.path} holds ${what}.`, { input: this.path, hint })
    const hasCheckpoints = (await checkpointFiles(this.path)).length > 0
    if (hasCheckpoints && this.#isResumed) return
    if (hasCheckpoints)
      throw refuse(
        'the checkpoints of a run',
        'Go on with it (resume: true, --resume), or name another folder.',
      )
    const model = MODEL_FILES.find((name) => existsSync(this.#in(name)))
    if (model) throw refuse(`a model (${model}), which would be overwritten`, 'Name another folder.')
  }

  /** Begins a log; `run.json` says what the run is. */
  async begin(identity: RunIdentity): Promise<void> {
    await makeFolder(this.path)
    await this.#take()
    // One may have begun since this one was opened.
    await this.#refuseAnother()
    await this.#describe({ ...identity, started: new Date().toISOString() })
    await writeFileAtomic(this.#in('log.jsonl'), '')
  }

  /** Goes on with the log behind this place: lines of steps and epochs that are to be made again are dropped. */
  async goOn({ step, epoch }: Pick<RunState, 'step' | 'epoch'>): Promise<void> {
    const content = await readFile(this.#in('log.jsonl'), 'utf8').catch(() => '')
    const kept = content.split('\n').filter((line) => {
      try {
        const found = JSON.parse(line) as { kind: string; step: number; epoch: number }
        return found.step <= step && (found.kind !== 'epoch' || found.epoch <= epoch)
      } catch {
        return false // The last line of a process that was killed.
      }
    })
    await writeFileAtomic(this.#in('log.jsonl'), kept.map((line) => `${line}\n`).join(''))
  }

  async log({ kind, numbers, ...rest }: LogLine): Promise<void> {
    const line = JSON.stringify({ kind, ...rest, ...numbers }, (_, value: unknown) =>
      typeof value === 'number' && !Number.isFinite(value) ? null : value,
    )
    await appendFile(this.#in('log.jsonl'), `${line}\n`).catch((error: unknown) => {
      throw fileError(error, this.#in('log.jsonl'), 'write')
    })
  }

  async drawCurves(history: readonly EpochEvent[]): Promise<void> {
    await writeFileAtomic(this.#in('curves.html'), curvesPage(history))
  }

  /** Writes the trained network at the folder's root. */
  async writeModel(
    network: Network,
    weights: ReadonlyMap<string, Tensor>,
    identity: RunIdentity,
    result: Readonly<Record<string, number>>,
  ): Promise<void> {
    await network.write?.(this.path, ownWeights(network, weights))
    await this.#describe({
      ...identity,
      started: await this.#started(),
      finished: new Date().toISOString(),
      result,
    })
  }

  /** Writes the network as it is behind an epoch, whole or not at all. */
  async writeSnapshot(network: Network, weights: ReadonlyMap<string, Tensor>, epoch: number): Promise<void> {
    const path = this.#in(snapshotName(epoch))
    const unfinished = `${path}.tmp`
    await rm(unfinished, { recursive: true, force: true })
    await makeFolder(unfinished)
    await network.write!(unfinished, ownWeights(network, weights))
    // Of a run that was resumed before this epoch.
    await rm(path, { recursive: true, force: true })
    await rename(unfinished, path).catch((error: unknown) => {
      throw fileError(error, path, 'write')
    })
  }

  /** Time at which the run began; `undefined` where `run.json` is gone or damaged, which is no reason to lose the model. */
  async #started(): Promise<string | undefined> {
    try {
      return (JSON.parse(await readFile(this.#in('run.json'), 'utf8')) as { started?: string }).started
    } catch {
      return undefined
    }
  }

  async #describe(run: Readonly<Record<string, unknown>>): Promise<void> {
    const versions = { pipilo: packageVersion(), onnxruntime: libraryVersion(), node: process.versions.node }
    await writeFileAtomic(this.#in('run.json'), `${JSON.stringify({ ...run, versions }, null, 2)}\n`)
  }

  #in(name: string): string {
    return join(this.path, name)
  }
}

/** Weights of the network alone: heads and teachers served the training. */
function ownWeights(network: Network, weights: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const own = new Set(parametersOf(network.inference).map(({ name }) => name))
  return new Map([...weights].filter(([name]) => own.has(name)))
}
