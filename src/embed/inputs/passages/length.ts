// Measures passages by the tokenizer of the model that embeds them.
import { PipiloError } from '../../../base/index.ts'
import type { Model } from '../../../models/index.ts'
import { promptWords } from '../../prompt.ts'
import { planChunks } from '../../text/chunk.ts'
import { loadTokenizer } from '../../text/loadTokenizer.ts'
import type { ChunkOptions, Embedder, Prompt } from '../../types.ts'
import type { PassageLength } from './types.ts'

/**
 * Tokens of a passage unless more or fewer are asked for: of more, a vector keeps less of each. all-MiniLM-L6-v2 was trained with 128, and of 128 and
 * 256 the shorter ones put the section of a README that answers a question before those that only mention its words.
 */
const USUAL = 128

/** Bytes of a token, where no tokenizer is known: rather too few, so that passages are rather too short. */
const BYTES = 3

/** Length of passages without a model. */
export function roughLength({
  tokens = USUAL,
  overlap,
}: Pick<ChunkOptions, 'tokens' | 'overlap'> = {}): PassageLength {
  const shared = overlap ?? Math.min(32, Math.floor(tokens / 2))
  checkRough(tokens, shared)
  return { tokens, overlap: shared, count: (text) => Math.ceil(Buffer.byteLength(text) / BYTES) }
}

function checkRough(tokens: number, overlap: number): void {
  if (Number.isInteger(tokens) && tokens > 0 && Number.isInteger(overlap) && overlap >= 0 && overlap < tokens)
    return
  throw new PipiloError('OPTION_INVALID', `chunk.tokens is ${tokens}, chunk.overlap ${overlap}.`, {
    hint: 'tokens is a whole number of 1 or more, overlap one below it.',
  })
}

/** Parts of an embedder that say how long its texts may be. */
export type Measured = Pick<Embedder, 'name' | 'modality' | 'recipe'> &
  Partial<Pick<Embedder, 'card' | 'model'>>

/** See `passageLength` in ../../onDemand.ts. */
export async function passageLength(
  embedder: Measured,
  {
    chunk,
    prompt,
  }: {
    readonly chunk?: Pick<ChunkOptions, 'tokens' | 'overlap'> | undefined
    readonly prompt?: Prompt | undefined
  } = {},
): Promise<PassageLength> {
  const { recipe, name, modality, card } = embedder
  const said = chunk ?? recipe.text?.chunk ?? {}
  const path = recipe.text && (await tokenizerOf(embedder))
  if (!recipe.text || path === undefined) return roughLength(said)
  const { maxLength: limit, lowercase, clean } = recipe.text
  const tokenizer = await loadTokenizer(path, { lowercase, ...(clean && { clean }) })
  const tokens = said.tokens ?? Math.min(limit, USUAL)
  const plan = planChunks({ ...said, tokens }, tokenizer, limit)
  const words =
    prompt === undefined || !card ? recipe.text.prompt : promptWords({ name, modality, card }, prompt)
  const before = tokenizer.content(words).length
  const room = plan.room - before
  if (room < 1) {
    throw new PipiloError(
      'OPTION_INVALID',
      `The prompt '${words}' fills a whole passage of ${tokens} tokens.`,
      {
        hint: 'Shorten the prompt or raise chunk.tokens.',
      },
    )
  }
  const most = limit - tokenizer.specials - before
  return {
    tokens: room,
    most,
    // Half an example answers less than a long one.
    ...(said.tokens === undefined && { whole: most }),
    overlap: Math.min(plan.overlap, room - 1),
    count: (text) => tokenizer.content(text).length,
  }
}

async function tokenizerOf({ model, recipe }: Measured): Promise<string | undefined> {
  // The tokenizer of a model behind HTTP is not here.
  if (recipe.source.remote) return undefined
  const opened: Model | undefined = await model?.()
  return opened?.towers?.text.tokenizer ?? opened?.tokenizer
}
