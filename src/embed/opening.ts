// Opens what an embedder needs: the model or a session left in the cache, and the preparation of inputs.
import { PipiloError } from '../base/index.ts'
import type { InputModality, Model } from '../models/index.ts'
import { compile, reopen, type Session } from '../runtime/index.ts'
import type { Preparation } from './batching/preparation.ts'
import { Runner, type Work } from './batching/run.ts'
import { proveSession, runtimeOf } from './device.ts'
import { type KnownModel, recall, remember } from './memory.ts'
import { openModel } from './pictures/calibration.ts'
import { preparer } from './preparer.ts'
import { promptWords } from './prompt.ts'
import { TowerWork } from './towers/towerWork.ts'
import type { EmbedderOptions } from './types.ts'

/** A model that is ready to embed. */
export interface Opened {
  readonly known: KnownModel
  readonly work: Work
  /** Loads the model on first call; a cached session is opened without it. */
  readonly open: () => Promise<Model>
}

/** Opens a model, or the session that an earlier process has left of it, and what prepares its inputs. */
export async function openWork(model: string | Model, options: EmbedderOptions): Promise<Opened> {
  const name = typeof model === 'string' ? model : undefined
  let opening: Promise<Model> | undefined
  let since = 0
  const whole = () => {
    if (!opening) {
      since = Date.now()
      opening = openModel(model, options)
    }
    return opening
  }
  const keep = async (of: Model, prepared: string, tower?: InputModality) => {
    await whole()
    await remember(name!, options, { model: of, prepared, since, ...(tower && { tower }) })
  }
  const memory = name === undefined ? undefined : await recall(name, options)
  const known = memory?.known ?? (await whole())
  checkModality(known, options)
  promptWords(known, options.prompt)
  if (known.modality === 'text-image') {
    checkTowers(known, options)
    if (name !== undefined && !memory) await keep(await whole(), '')
    const { tap: _, ...rest } = options
    const width = options.dimensions ?? known.card.dimensions
    const work = new TowerWork(known.name, width, async (tower) => {
      const left = name === undefined ? undefined : await recall(name, options, tower)
      const prepared = left && (await reopened(left.prepared, { ...known, modality: tower }, rest))
      if (prepared) return prepared
      const { towers } = await whole()
      return compiled(towers![tower], rest, name, (session) => keep(towers![tower], session, tower))
    })
    return { known, work, open: whole }
  }
  const prepared = memory && (await reopened(memory.prepared, known, options))
  const { session, preparation } =
    prepared ??
    (await compiled(await whole(), options, name, async (address) => keep(await whole(), address)))
  const runner = new Runner(session, preparation)
  const work: Work = {
    get dimensions() {
      return runner.dimensions
    },
    run: runner.run.bind(runner) as Work['run'],
    dispose: () => session.dispose(),
  }
  return { known: prepared ? known : await whole(), work, open: whole }
}

interface Prepared {
  readonly session: Session
  readonly preparation: Preparation
}

/** The session that an earlier process has left; undefined where it is not there any more. */
async function reopened(
  address: string,
  known: KnownModel,
  options: EmbedderOptions,
): Promise<Prepared | undefined> {
  // On a device nothing is kept.
  if ((runtimeOf(options).device ?? 'cpu') !== 'cpu') return undefined
  // The worker gets its work first: loading the tokenizer then keeps this thread busy.
  const found = await reopen(address, options.runtime)
  return found && both(found.opening, preparer(known, options))
}

/** @param keep remembers the address of the session, where it has a name under which it is looked for */
async function compiled(
  model: Model,
  options: EmbedderOptions,
  name: string | undefined,
  keep: (address: string) => Promise<void>,
): Promise<Prepared> {
  const graph = model.embedding(options)
  const persist = name !== undefined
  const prepared = await both(compile(graph, { persist, ...runtimeOf(options) }), preparer(model, options))
  try {
    const modality = model.modality === 'image' ? 'image' : 'text'
    await proveSession(prepared.session, prepared.preparation, modality, options)
  } catch (error) {
    await prepared.session.dispose()
    throw error
  }
  if (persist && prepared.session.prepared) await keep(prepared.session.prepared)
  return prepared
}

/** A session and what prepares its inputs; when the second fails, the first is not left behind. */
async function both(
  opening: Promise<Session>,
  preparing: Promise<(session: Session) => Preparation>,
): Promise<Prepared> {
  try {
    const [session, prepare] = await Promise.all([opening, preparing])
    return { session, preparation: prepare(session) }
  } catch (error) {
    await opening.then((opened) => opened.dispose()).catch(() => {})
    throw error
  }
}

function checkModality({ name, modality }: KnownModel, { modality: wanted }: EmbedderOptions): void {
  if (wanted === undefined || wanted === modality) return
  throw new PipiloError('OPTION_INVALID', `${name} is a model for ${modality}, not for ${wanted}.`, {
    input: name,
    hint: 'Name another model, or leave out the option modality.',
  })
}

/** Options that make no sense for two towers, or that only they can check before a tower is opened. */
function checkTowers({ name, card }: KnownModel, { tap, dimensions, maxLength }: EmbedderOptions): void {
  if (tap !== undefined && [tap].flat().join(',') !== card.tap) {
    throw new PipiloError(
      'OPTION_INVALID',
      `${name} has two towers, and vectors of one space only at their ends.`,
      {
        input: [tap].flat().join(','),
        hint: 'Leave out tap, or open one tower: embedder((await open(…)).towers.image, { tap }).',
      },
    )
  }
  if (dimensions !== undefined && dimensions > card.dimensions) {
    throw new PipiloError('OPTION_INVALID', `dimensions is ${dimensions}; ${name} has ${card.dimensions}.`, {
      input: 'dimensions',
    })
  }
  const limit = card.text?.maxLength
  if (maxLength !== undefined && limit !== undefined && maxLength > limit) {
    throw new PipiloError('OPTION_INVALID', `maxLength is ${maxLength}; ${name} reads ${limit} tokens.`, {
      input: 'maxLength',
    })
  }
}
