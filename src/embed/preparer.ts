// Chooses and loads the preparation of a model's inputs.
import { PipiloError } from '../base/index.ts'
import type { ValueInfo } from '../graph/index.ts'
import type { Session } from '../runtime/index.ts'
import { writtenValues } from '../tensor/index.ts'
import type { Preparation } from './batching/preparation.ts'
import { loadSharp } from './pictures/decode.ts'
import { PicturePreparation } from './pictures/pictures.ts'
import type { KnownModel } from './recipe/known.ts'
import { MAX_LENGTH } from './recipe/recipe.ts'
import { planChunks } from './text/chunk.ts'
import { loadTokenizer } from './text/loadTokenizer.ts'
import { fedInputs, flatInputs, isFed, isFlat, lengthOf, TextPreparation } from './text/text.ts'
import type { TextTokenizer } from './text/tokenizer.ts'
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
): Promise<(session: Pick<Session, 'inputs' | 'outputs' | 'concurrency'>) => Preparation> {
  const values = writtenValues(options.inputs ?? {})
  if (modality === 'tensor') {
    const text = (['chunk', 'maxLength'] as const).find((option) => options[option] !== undefined)
    if (text) {
      throw new PipiloError('OPTION_INVALID', `${name} takes tensors, and ${text} is for texts.`, {
        input: text,
      })
    }
    const { TensorPreparation } = await import('./tensors/tensors.ts')
    return ({ inputs, outputs, concurrency }) =>
      new TensorPreparation({
        name,
        inputs,
        outputs,
        values,
        concurrency,
        alone: card.together === 'none',
        allow: options.allow,
      })
  }
  if (modality === 'image') {
    const { image } = card
    if (!image)
      throw new PipiloError('MODEL_INVALID', `${name} does not say how its pictures are prepared.`, {
        input: name,
      })
    await loadSharp()
    const { batchPixels = BATCH_PIXELS, maxPixels, maxWaitingPixels = WAITING_PIXELS } = options
    const { together } = card
    return ({ inputs, concurrency }) => {
      const others = inputs.filter((input) => input.name !== 'pixels')
      const unknown = others.filter((input) => !Object.hasOwn(values, input.name))
      if (unknown.length > 0) {
        const list = unknown.map((input) => JSON.stringify(input.name)).join(', ')
        throw new PipiloError(
          'INPUT_UNKNOWN',
          `${name} asks for ${list} beside pictures, and Pipilo does not know what goes there.`,
          { input: unknown[0]!.name, hint: giving(unknown[0]!) },
        )
      }
      const beside = others.map((info) => [info, values[info.name]!] as const)
      const rows = rowsOf(inputs.find((input) => input.name === 'pixels'))
      const { allow } = options
      const limits = { batchPixels, maxPixels, maxWaitingPixels, concurrency, together, allow }
      return new PicturePreparation({ image, beside, rows, ...limits })
    }
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
    ...(text?.vocabulary !== undefined && { rows: text.vocabulary }),
  })
  if (text?.vocabulary !== undefined) checkVocabulary(name, loaded, text.vocabulary)
  const { maxLength = text?.maxLength ?? MAX_LENGTH, batchTokens = BATCH_TOKENS } = options
  if (maxLength <= loaded.specials) {
    throw new PipiloError(
      'OPTION_INVALID',
      `maxLength is ${maxLength}, and ${loaded.specials} are special tokens.`,
    )
  }
  const chunks = options.chunk && planChunks(options.chunk, loaded, maxLength)
  return ({ inputs, concurrency }) => {
    const flat = isFlat(inputs)
    const isFilled = (info: ValueInfo) => (flat ? flatInputs.includes(info.name) : isFed(info))
    const unknown = inputs.filter((info) => !isFilled(info) && !Object.hasOwn(values, info.name))
    const [first] = unknown
    if (first && unknown.every(isVectors)) {
      throw new PipiloError('MODEL_INVALID', `${name} takes vectors at ${first.name}, not texts.`, {
        input: first.name,
        hint: 'Run its graph with them, or open the model without feed().',
      })
    }
    if (first) {
      const list = unknown.map((info) => `${JSON.stringify(info.name)}${shapeOf(info)}`).join(', ')
      throw new PipiloError(
        'INPUT_UNKNOWN',
        `${name} asks for ${list}, and Pipilo does not know what goes there.`,
        {
          input: first.name,
          hint: `Texts fill ${fedInputs.join(', ')}. ${giving(first)}`,
        },
      )
    }
    const length = lengthOf(inputs)
    if (length !== undefined && maxLength > length) {
      throw new PipiloError('OPTION_INVALID', `maxLength is ${maxLength}; ${name} takes ${length} tokens.`, {
        input: 'maxLength',
      })
    }
    return new TextPreparation({
      tokenizer: loaded,
      inputs,
      values,
      maxLength,
      batchTokens,
      maxWaitingTokens: options.maxWaitingTokens ?? WAITING_TOKENS,
      text,
      chunks,
      concurrency,
      together: card.together,
    })
  }
}

/** The symbol of a batch of pictures. */
const rowsOf = (info: ValueInfo | undefined): string =>
  info?.type?.kind === 'tensor' ? String(info.type.shape?.[0] ?? '') : ''

const giving = ({ name }: ValueInfo): string =>
  `Give a value for all of it with the option inputs: { ${JSON.stringify(name)}: 0 } (--input ${name}=0), or run the graph.`

const shapeOf = ({ type }: ValueInfo): string =>
  type?.kind === 'tensor' && type.shape ? ` [${type.shape.map((size) => size || '?').join(', ')}]` : ''

/** True of an input of a vector a token, which stands where a layer was. */
function isVectors({ name, type }: ValueInfo): boolean {
  return (
    type?.kind === 'tensor' &&
    /float/.test(type.dtype) &&
    (type.shape?.length ?? 3) > 2 &&
    !/^past/.test(name)
  )
}

/** Vocabularies are made longer than they are, to a multiple of at most so many tokens. */
const PADDED = 1024
/** Tokens that a model's table may have over, as a share. */
const SPARE = 0.02

/**
 * Refuses a tokenizer that is not the model's.
 *
 * @param rows of the model's table of tokens
 * @throws PipiloError `MODEL_INVALID`
 */
function checkVocabulary(name: string, { vocabulary, usual }: TextTokenizer, rows: number): void {
  const ids = usual > rows ? usual : Math.min(vocabulary, rows)
  const missing = rows - ids
  let padding = PADDED
  while (padding > 1 && rows % padding !== 0) padding /= 2
  if (missing >= 0 && (missing < padding || missing <= rows * SPARE)) return
  const what = missing < 0 ? 'gives ids beyond its table' : 'is cut short'
  throw new PipiloError(
    'MODEL_INVALID',
    `${name} has ${rows} tokens (vocab_size), and its tokenizer ${ids}: it ${what}.`,
    { input: name, hint: "Put the model's own tokenizer beside it." },
  )
}
