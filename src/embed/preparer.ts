// Chooses and loads the preparation of a model's inputs.
import { PipiloError } from '../base/index.ts'
import type { ValueInfo } from '../graph/index.ts'
import type { Session } from '../runtime/index.ts'
import type { Preparation } from './batching/preparation.ts'
import { loadSharp } from './pictures/image.ts'
import { PicturePreparation } from './pictures/pictures.ts'
import type { KnownModel } from './recipe/known.ts'
import { MAX_LENGTH } from './recipe/recipe.ts'
import { planChunks } from './text/chunk.ts'
import { loadTokenizer } from './text/loadTokenizer.ts'
import { fedInputs, TextPreparation } from './text/text.ts'
import type { EmbedderOptions } from './types.ts'

/**
 * Tokens in a batch. Processor time for 512 sentences of 35 tokens on two workers: 1.44 s for 256 to 512, 1.51 s for 768, 1.56 s for 1,024,
 * 1.73 s for 2,048.
 */
const BATCH_TOKENS = 512
/** Pixels in a batch: 4 pictures of 224 × 224. Larger ones are no faster, and leave workers idle at the end. */
const BATCH_PIXELS = 4 * 224 * 224
/** Tokens that wait: about three minutes' work for MiniLM on two processors, and 32 MB. */
const WAITING_TOKENS = 2 ** 22
/** Pixels that wait: 1,337 pictures of 224 × 224, and 192 MB. */
const WAITING_PIXELS = 2 ** 26

/** Loads what prepares inputs; the session is needed only to finish it. */
export async function preparer(
  { name, card, modality, tokenizer }: Pick<KnownModel, 'name' | 'card' | 'modality' | 'tokenizer'>,
  options: EmbedderOptions,
): Promise<(session: Pick<Session, 'inputs' | 'concurrency'>) => Preparation> {
  if (modality === 'image') {
    const { image } = card
    if (!image)
      throw new PipiloError('MODEL_INVALID', `${name} does not say how its pictures are prepared.`, {
        input: name,
      })
    await loadSharp()
    const { batchPixels = BATCH_PIXELS, maxPixels, maxWaitingPixels = WAITING_PIXELS } = options
    return ({ concurrency }) =>
      new PicturePreparation({ image, batchPixels, maxPixels, maxWaitingPixels, concurrency })
  }
  if (!tokenizer) {
    throw new PipiloError('MODEL_INVALID', `${name} has no tokenizer.json.`, {
      input: name,
      hint: 'Put it beside the model.',
    })
  }
  const { text } = card
  const loaded = await loadTokenizer(tokenizer, {
    lowercase: text?.lowercase ?? false,
    ...(text?.clean ? { clean: text.clean } : {}),
    specialTokens: text?.specialTokens ?? true,
    dropUnknown: text?.dropUnknown ?? false,
  })
  const { maxLength = text?.maxLength ?? MAX_LENGTH, batchTokens = BATCH_TOKENS } = options
  if (maxLength <= loaded.specials) {
    throw new PipiloError(
      'OPTION_INVALID',
      `maxLength is ${maxLength}, and ${loaded.specials} are special tokens.`,
    )
  }
  const chunks = options.chunk && planChunks(options.chunk, loaded, maxLength)
  return ({ inputs, concurrency }) => {
    const unknown = inputs.filter((input) => !fedInputs.includes(input.name))
    const [first] = unknown
    if (first && unknown.every(isFloat)) {
      throw new PipiloError('MODEL_INVALID', `${name} takes vectors at ${first.name}, not texts.`, {
        input: first.name,
        hint: 'Run its graph with them, or open the model without feed().',
      })
    }
    if (first) {
      const list = unknown.map((input) => JSON.stringify(input.name)).join(', ')
      throw new PipiloError(
        'INPUT_UNKNOWN',
        `${name} asks for ${list}, and Pipilo does not know what goes there.`,
        {
          input: first.name,
          hint: `Texts fill ${fedInputs.join(', ')}: export the model with these alone, or run its graph.`,
        },
      )
    }
    return new TextPreparation({
      tokenizer: loaded,
      inputs: inputs.map((input) => input.name),
      flat: inputs.some((input) => input.name === 'offsets'),
      maxLength,
      batchTokens,
      maxWaitingTokens: options.maxWaitingTokens ?? WAITING_TOKENS,
      text,
      chunks,
      concurrency,
    })
  }
}

function isFloat({ type }: ValueInfo): boolean {
  return type?.kind === 'tensor' && /float/.test(type.dtype)
}
