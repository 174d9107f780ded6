/** Training by a recipe, which goes on where it was stopped. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Dataset } from '../../../src/embed/index.ts'
import { type TrainOptions, train, trainingRecipe } from '../../../src/train/index.ts'
import type { ClaimRun } from './claim.ts'

/** Options of {@link trainedBy}: those of the recipe, and of `train` in its place. */
export interface Training {
  readonly data: Dataset
  readonly epochs: number
  readonly batch?: number
  readonly lr?: number
  readonly model?: string
  readonly size?: number
  readonly scoreScale?: number
  /** In place of what the recipe says. */
  readonly change?: Partial<TrainOptions>
}

/** Trains by a recipe in a folder of the run; a folder that is complete stays as it is. @returns the folder */
export async function trainedBy(
  recipe: string,
  name: string,
  { seed, folder, say }: Pick<ClaimRun, 'seed' | 'folder' | 'say'>,
  { data, change, ...choices }: Training,
): Promise<string> {
  const out = join(folder, name)
  if (existsSync(join(out, 'done'))) return out
  const { prepare, defaults } = trainingRecipe(recipe)
  const chosen = { ...defaults, ...choices, seed }
  const { transform, ...parts } = await prepare({ ...chosen, data })
  const { epochs, batch } = chosen
  await train({
    ...parts,
    data: transform ? await transform(data) : data,
    epochs,
    batch,
    seed,
    ...change,
    out,
    resume: true,
    onProgress: progress(name, say),
  })
  await markDone(out)
  return out
}

/** Marks a folder as complete. */
export async function markDone(folder: string): Promise<void> {
  const { writeFileAtomic } = await import('../../../src/base/files/index.ts')
  await writeFileAtomic(join(folder, 'done'), '')
}

/** A line an epoch, at most one in five seconds. */
export function progress(name: string, say: ClaimRun['say']): NonNullable<TrainOptions['onProgress']> {
  let last = 0
  return (event) => {
    if (event.kind === 'resumed') say(`${name}: goes on at step ${event.step}`)
    if (event.kind !== 'epoch' || (performance.now() - last < 5000 && event.epoch < event.epochs)) return
    last = performance.now()
    const loss = event.numbers['loss']?.toFixed(3) ?? ''
    say(
      `${name}: epoch ${event.epoch} of ${event.epochs}, loss ${loss}, ${event.samplesPerSecond.toFixed(0)} rows/s`,
    )
  }
}
