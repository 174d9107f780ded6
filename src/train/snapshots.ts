/** Models of a run as they were behind its epochs, as they appear. */

import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { abortError, checkOptions, is, type OptionTable, PipiloError, throwIfAborted } from '../base/index.ts'

const runSnapshotsTypes: OptionTable<RunSnapshotsOptions> = {
  interval: is.count(1),
  signal: is.abortSignal,
}

/** A model of a run. */
export interface Snapshot {
  readonly epoch: number
  /** Folder that `embedder` opens. */
  readonly path: string
}

/** Options of {@link runSnapshots}. */
export interface RunSnapshotsOptions {
  /** Milliseconds between looks into the folder. Default 1,000. */
  readonly interval?: number
  readonly signal?: AbortSignal
}

const FOLDER = 'snapshots'
const NAME = /^epoch-(\d+)$/

/** Place of a snapshot in its run's folder. */
export const snapshotName = (epoch: number): string => join(FOLDER, `epoch-${String(epoch).padStart(4, '0')}`)

/**
 * Models of a run that was begun with `snapshots`, one after the other, while it goes on; it ends when the run does, with the model that it ended in.
 *
 * @example
 * ```ts
 * for await (const { epoch, path } of runSnapshots('runs/digits')) {
 *   const e = await embedder(path)
 *   …
 * }
 * ```
 *
 * @remarks A folder that is not there yet is waited for.
 *
 * @throws `INPUT_INVALID` for what is no folder, `ABORTED`
 */
export async function* runSnapshots(
  folder: string,
  given: RunSnapshotsOptions = {},
): AsyncGenerator<Snapshot> {
  checkOptions('runSnapshots', given, runSnapshotsTypes)
  const { interval = 1000, signal } = given
  const seen = new Set<number>()
  while (true) {
    throwIfAborted(signal)
    // Read before the snapshots: those of a run that is over are all there.
    const end = await finishedRun(folder)
    for (const epoch of await epochsIn(folder)) {
      if (seen.has(epoch)) continue
      seen.add(epoch)
      yield { epoch, path: join(folder, snapshotName(epoch)) }
    }
    if (end) {
      if (!seen.has(end.epoch)) yield { epoch: end.epoch, path: folder }
      return
    }
    await wait(interval, undefined, signal ? { signal } : {}).catch(() => {
      throw abortError(signal!, 'Nobody watches the run any more.')
    })
  }
}

async function epochsIn(folder: string): Promise<number[]> {
  const names = await readdir(join(folder, FOLDER)).catch(() => [])
  return names
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
}

/** The epoch whose weights a run has ended in; undefined while it goes on. @throws `INPUT_INVALID` for what is no folder */
async function finishedRun(folder: string): Promise<{ readonly epoch: number } | undefined> {
  const about = await stat(folder).catch(() => undefined)
  if (about && !about.isDirectory()) {
    throw new PipiloError('INPUT_INVALID', `${folder} is no folder of a training run.`, { input: folder })
  }
  try {
    const run = JSON.parse(await readFile(join(folder, 'run.json'), 'utf8')) as {
      finished?: string
      result?: { epoch?: number }
    }
    return run.finished === undefined ? undefined : { epoch: run.result?.epoch ?? 0 }
  } catch {
    return undefined
  }
}
